//! A CIBA OpenID Provider after the MODRNA profile.
