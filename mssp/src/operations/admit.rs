//! Who may come in: what is the same for every operation.

use ota_wire::ids::Msisdn;

use crate::{
    code::Code,
    config::{Ap, Subscriber, UserState},
    dialect::Dialect,
    messages::{ApInfo, Head, MobileUser, ResponseHead, Status},
    operation::Operation,
    party::Turn,
    peer::PeerCertificate,
    record::{Unreadable, User, key, load},
    schema,
    soap::{Call, Fault, Roaming},
    test_numbers,
    xml::is_white,
};

/// An AP that has proved who it is and may make this call.
pub(crate) struct Caller<'a> {
    pub(crate) head: Head,
    pub(crate) ap: &'a Ap,
    pub(crate) dialect: Dialect,
    /// Whether its requests are read strictly.
    pub(crate) strict: bool,
}

impl Caller<'_> {
    /// The head of the answer.
    pub(crate) fn response_head(self, turn: &Turn<'_>) -> ResponseHead {
        ResponseHead {
            version: self.head.version,
            ap: self.head.ap,
            mssp_uri: turn.config.mssp_uri.clone(),
            instant: turn.now,
        }
    }
}

impl Status {
    pub(crate) fn of(code: Code) -> Self {
        Self {
            code,
            detail: None,
            services: Vec::new(),
        }
    }
}

impl<'a> Turn<'a> {
    /// Lets a caller in. `deviations` takes what is not as the standard has it, beside what [`schema`] finds.
    ///
    /// # Errors
    /// 108, 102, 101, 104, 106, 701, 720.
    pub(crate) fn admit(
        &self,
        operation: Operation,
        call: &Call,
        peer: Option<&PeerCertificate>,
        deviations: &mut Vec<String>,
    ) -> Result<Caller<'a>, Fault> {
        let message = &call.part;
        let head = Head::parse(message)?;
        let ap = self.authenticate(&head.ap, peer)?;
        let dialect = ap.dialect.unwrap_or(self.config.dialect);
        let rules = dialect.rules();
        if !rules.versions.contains(&head.version) {
            let spoken: Vec<_> = rules.versions.iter().map(ToString::to_string).collect();
            return Err(Fault::new(
                Code::INCOMPATIBLE_INTERFACE,
                format!(
                    "version {} is not spoken in dialect {dialect}, expected {}",
                    head.version,
                    spoken.join(", ")
                ),
            ));
        }
        let length = head.ap.ap_trans_id.chars().count();
        if length > rules.ap_trans_id {
            return Err(Fault::new(
                Code::WRONG_PARAM,
                format!(
                    "AP_TransID has {length} characters, at most {} are taken",
                    rules.ap_trans_id
                ),
            ));
        }
        if !ap.operations.is_empty() && !ap.operations.contains(&operation) {
            return Err(Fault::new(
                Code::UNAUTHORIZED_ACCESS,
                format!("{operation} is not in the contract of {:?}", ap.id),
            )
            .second(1044));
        }
        if ap.handshake && operation != Operation::Handshake && !self.shook_hands(ap)? {
            return Err(Fault::new(
                Code::HANDSHAKE_REQUIRED,
                format!("{:?} has to call MSS_Handshake first", ap.id),
            ));
        }
        self.roamed(ap, call.roaming.as_ref())?;
        self.surroundings(&head, dialect, deviations);
        let strict = ap.strict.unwrap_or(self.config.strict);
        if strict {
            let mut found = schema::deviations(operation, message);
            found.append(&mut deviations.clone());
            if !found.is_empty() {
                let lacks = |what: &String| what.contains(" lacks ");
                let code = if found.iter().all(lacks) {
                    Code::MISSING_PARAM
                } else {
                    Code::WRONG_PARAM
                };
                return Err(Fault::new(code, found.join("; ")));
            }
        }
        Ok(Caller {
            head,
            ap,
            dialect,
            strict,
        })
    }

    /// Whether a request came the way it should.
    ///
    /// # Errors
    /// 701, 720.
    fn roamed(&self, ap: &Ap, roaming: Option<&Roaming>) -> Result<(), Fault> {
        match roaming {
            Some(roaming) => roaming.check(self.now),
            None if ap.roaming => Err(Fault::new(
                Code::ROAMING_HEADER_MISSING,
                format!(
                    "requests of {:?} come through the mesh, and this one has no RoamingHeader",
                    ap.id
                ),
            )),
            None => Ok(()),
        }
    }

    /// What depends on where and when it is read.
    fn surroundings(&self, head: &Head, dialect: Dialect, deviations: &mut Vec<String>) {
        if let Some(tolerance) = dialect.rules().instant_tolerance {
            let apart = head.ap.instant.instant().duration_since(self.now).abs();
            if apart > tolerance {
                deviations.push(format!(
                    "Instant is {apart:#} away from the time here, at most {tolerance:#} is tolerated"
                ));
            }
        }
        if let Some(uri) = head.mssp_id.uri.as_deref()
            && !uri.is_empty()
            && uri != self.config.mssp_uri
        {
            deviations.push(format!(
                "MSSP_ID is {uri:?}, this is {:?}",
                self.config.mssp_uri
            ));
        }
    }

    /// The AP, if it is one, knows its password and has shown its certificate.
    ///
    /// # Errors
    /// 104.
    fn authenticate(
        &self,
        claimed: &ApInfo,
        peer: Option<&PeerCertificate>,
    ) -> Result<&'a Ap, Fault> {
        let fault = |detail| Fault::new(Code::UNAUTHORIZED_ACCESS, detail);
        let ap = self
            .config
            .aps
            .iter()
            .find(|ap| ap.id == claimed.ap_id)
            .ok_or_else(|| {
                fault(format!(
                    "AP_ID {:?} is not registered at this MSSP",
                    claimed.ap_id
                ))
            })?;
        // Secrets compare in constant time.
        if ap.password != claimed.ap_pwd {
            return Err(fault(format!("AP_PWD of {:?} is wrong", claimed.ap_id)));
        }
        match (&ap.certificate, peer) {
            (None, _) => Ok(ap),
            (Some(expected), Some(shown)) if *expected == shown.der => Ok(ap),
            (Some(_), shown) => Err(fault(format!(
                "{:?} has to show its client certificate, and showed {}",
                claimed.ap_id,
                if shown.is_some() { "another" } else { "none" }
            ))),
        }
    }

    fn shook_hands(&self, ap: &Ap) -> Result<bool, Unreadable> {
        Ok(load::<String>(self.view, key::handshake(&ap.id))?.is_some())
    }

    /// The person that a request is about, in whatever state.
    ///
    /// # Errors
    /// 105; for a test number, the fault that it stands for.
    pub(crate) fn person(&self, user: &MobileUser) -> Result<(Subscriber, User), Fault> {
        let unknown = |detail, second| Fault::new(Code::UNKNOWN_CLIENT, detail).second(second);
        let named = match user.msisdn.as_deref() {
            Some(text) if !text.trim_matches(is_white).is_empty() => text.to_owned(),
            _ => match user.user_identifier.as_deref() {
                Some(id) if !id.trim_matches(is_white).is_empty() => self
                    .config
                    .directory
                    .identified(id.trim_matches(is_white))
                    .map(|msisdn| msisdn.to_string())
                    .ok_or_else(|| {
                        unknown(format!("nobody here is UserIdentifier {id:?}"), 1052)
                    })?,
                _ => {
                    return Err(unknown(
                        "MobileUser lacks MSISDN and UserIdentifier".to_owned(),
                        1051,
                    ));
                }
            },
        };
        let msisdn: Msisdn = named
            .parse()
            .map_err(|e| unknown(format!("MSISDN {named:?} is not a number: {e}"), 1051))?;
        if self.config.test_numbers
            && let Some(fault) = test_numbers::fault(&msisdn)
        {
            return Err(fault);
        }
        let subscriber = self
            .config
            .directory
            .subscriber(&msisdn)
            .ok_or_else(|| unknown(format!("nobody here has the number {msisdn}"), 1052))?;
        let known: Option<User> = load(self.view, key::user(&subscriber.msisdn))?;
        let user = known.unwrap_or(User {
            state: subscriber.state,
            pin_blocked: false,
            puk_blocked: false,
        });
        Ok((subscriber, user))
    }

    /// The same, if the service is open to them.
    ///
    /// # Errors
    /// As [`Turn::person`]; and what the dialect says about people who are suspended or not registered.
    pub(crate) fn active_person(
        &self,
        user: &MobileUser,
        dialect: Dialect,
    ) -> Result<(Subscriber, User), Fault> {
        let (subscriber, known) = self.person(user)?;
        match dialect.refusal(known.state, &subscriber.msisdn) {
            Some(fault) => Err(fault),
            None => Ok((subscriber, known)),
        }
    }
}

impl User {
    /// With the state that a registration or its end leads to.
    pub(super) fn now(self, state: UserState) -> Self {
        Self { state, ..self }
    }
}
