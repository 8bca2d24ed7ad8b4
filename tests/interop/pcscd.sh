# Sourced: pcscd with vsmartcard-vpcd.

# Whether somebody listens on a port of this machine. Looked up and not tried: the driver would take us for a card.
listens() { grep -qi "^ *[0-9]*: [0-9A-F]*:$(printf %04X "$1") [0-9A-F]*:0000 0A " /proc/net/tcp; }

# Starts pcscd with its log in $1, and waits until the driver listens for cards; $pcscd is its number.
# A port of the driver may be one that a connection of some other program has just left; it is free again after a minute.
start_pcscd() {
    local tries=900
    while ((tries > 0)); do
        pcscd -f >"$1" 2>&1 &
        pcscd=$!
        until listens 35963 && listens 35964; do
            ((tries-- > 0)) && ! grep -q 'Address already in use' "$1" || break
            read -rt 0.1 <> <(:) || true
        done
        if listens 35963 && listens 35964 && ! grep -q 'Address already in use' "$1"; then
            return
        fi
        { kill "$pcscd" && wait "$pcscd"; } 2>/dev/null || true
        ((tries -= 10)) || true
        read -rt 1 <> <(:) || true
    done
    echo "the reader's driver does not come" >&2
    return 1
}
