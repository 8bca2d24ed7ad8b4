#!/usr/bin/env bash
# Debian's pcscd, vsmartcard-vpcd, opensc and pcsc-tools against the cards of $1, the binary.
set -euo pipefail
midsim=$1
if [ "${2:-}" = inside ]; then
    sims=$MIDSIM_UI_URL/api/v1/sims
    sim=$sims/+447700900003
    # What the answer to a request contains. `grep -q` would leave before the other end has written all.
    has() { grep -e "$1" >/dev/null || { echo "card-tools: no $1" >&2 && exit 1; }; }
    api() { curl -sf -H 'Content-Type: application/json' "$@"; }
    # As soon as the reader has asked for it the card can be used; mostly that is so when the request is answered.
    asked() { api "$@" | grep -e '"asked":true' >/dev/null; }
    asked "$sim/attach" -d '{}' || asked "$sim/attach?wait=10" || asked "$sim/attach"
    curl -s -H 'Content-Type: application/json' "$sims/+447700900002/attach" -d '{}' | has '"status":409'
    opensc-tool -r 0 -s 00A40004023F00 2>/dev/null | has 'SW1=0x90'
    opensc-tool -r 0 -s 002000010839393939FFFFFFFF 2>/dev/null | has 'SW1=0x63, SW2=0xC2'
    api "$sim" | has '"attached":false'
    api "$sim/attach?wait=1" | has '0020000108\*\*'
    api -X DELETE "$sim/attach"
    # The handset is on again.
    api "$sim" | has '"attached":true'
    exit
fi
. "$(dirname "$0")/pcscd.sh"
card=+447700900002
scratch=$(mktemp -d)
started=()
# Whoever was started, by its number; the last one first.
finish() {
    for ((i = ${#started[@]} - 1; i >= 0; i--)); do
        [ -z "${started[i]:-}" ] || { kill "${started[i]}" && wait "${started[i]}"; } 2>/dev/null || true
    done
    rm -rf "$scratch"
}
trap finish EXIT
fail() {
    printf 'card-tools: %s\n' "$1" >&2
    for log in "$scratch"/*; do printf -- '-- %s\n' "$log" >&2 && tail -n 20 "$log" >&2; done
    exit 1
}
# Waits until `$2...` works, ten seconds at most.
until_works() {
    local what=$1 tries=100
    shift
    until "$@" >/dev/null 2>&1; do
        ((tries-- > 0)) || fail "$what does not come"
        read -rt 0.1 <> <(:) || true
    done
}
# Answers of the card in the reader to these commands, a line each: status word, then data.
apdus() {
    local arguments=() apdu
    for apdu in "$@"; do arguments+=(-s "$apdu"); done
    # Behind at most 16 octets in hexadecimal stand the same as text.
    timeout 20 opensc-tool -r 0 "${arguments[@]}" 2>/dev/null | awk '
        /^Sending/ { next }
        /^Received/ {
            if (line) print line
            sub(/^.*SW1=0x/, ""); sub(/, SW2=0x/, ""); sub(/\).*/, "")
            line = $0 " "; next
        }
        match($0, /^([0-9A-F][0-9A-F] )+/) { data = substr($0, 1, RLENGTH < 48 ? RLENGTH : 48); gsub(/ /, "", data); line = line data }
        END { print line }' | sed 's/ $//'
}
expect() {
    [ "$2" = "$3" ] || fail "$1: expected
$2
got
$3"
}
# Whether `attach` with this log has said this; before, whether it has not.
says() { grep -qe "$2" "$scratch/$1"; }
# Runs what `attach` with this log prints, as it is printed.
tries() {
    sed -n '/^# Try/,/^# PIN1/p' "$scratch/$1" >"$scratch/$1.sh"
    command -v pySim-read.py >/dev/null || sed -i '/^pySim/d' "$scratch/$1.sh"
    timeout 30 bash -eu "$scratch/$1.sh" >"$scratch/$1.tried" 2>&1 || fail "what $1 prints does not run"
    [ "$(grep -c SW1=0x90 "$scratch/$1.tried")" = "$2" ] || fail "what $1 prints does not work"
}
# The answers to SELECT EF.ICCID and READ BINARY, by the subscriber's number's last digit.
iccid() { case $1 in 2) echo "9000 984477000900000020F6" ;; 3) echo "9000 984477000900000030F4" ;; esac; }
reads_iccid() { [ "$(apdus 00A4000C022FE2 00B000000A | tail -n 1)" = "$(iccid "$1")" ]; }
atr=3b:9b:95:80:1f:c7:80:31:a0:73:be:21:13:6d:53:69:6d:82

start_pcscd "$scratch/pcscd" || fail "no reader"
started+=("$pcscd")

"$midsim" sim attach "$card" --alone --trace >"$scratch/trace" 2>"$scratch/attach" &
started+=($!)
until_works "the card" timeout 5 opensc-tool -r 0 -a
expect "opensc-tool reads the ATR" "$atr" "$(timeout 20 opensc-tool -r 0 -a)"
timeout 3 pcsc_scan -n -t 1 >"$scratch/scan" || true
grep -qi "ATR: ${atr//:/ }" "$scratch/scan" || fail "pcsc_scan reads another ATR"
expect "EF.ICCID, a file that is not there, EF.DIR, EF.IMSI without PIN1" "9000
9000 984477000900000020F6
6A82
9000
9000 61184F10A0000000871002FFFFFFFF890709000050045553494DFFFFFFFFFFFFFFFFFFFFFFFF
9000
9000
6982" "$(apdus 00A4000C022FE2 00B000000A 00A4000C026FFF 00A4000C022F00 00B2010426 \
    00A4040C07A0000000871002 00A4000C026F07 00B0000009)"
expect "EF.IMSI with PIN1" "9000
9000
9000
9000 080910100000000020" "$(apdus 002000010830303030FFFFFFFF 00A4040C07A0000000871002 00A4000C026F07 00B0000009)"
expect "PIN1: wrong three times, blocked, unblocked" "63C3
63C2
63C1
63C0
6983
6983
63CA
9000
9000" "$(apdus 0020000100 002000010839393939FFFFFFFF 002000010839393939FFFFFFFF 002000010839393939FFFFFFFF \
    002000010830303030FFFFFFFF 0020000100 002C000100 002C000110313233343536373830303030FFFFFFFF \
    002000010830303030FFFFFFFF)"
grep -q '> 0020000108\*\*\*\*\*\*' "$scratch/trace" || fail "the trace lacks VERIFY PIN, or shows the code"
timeout 30 opensc-tool -r 0 -n >"$scratch/name" 2>&1 || true
grep -q 'Unsupported card' "$scratch/name" || fail "opensc-tool -n takes the card for something else than a SIM"
# SELECT of the MF and DISABLE PIN.
tries attach 2
expect "EF.IMSI after that" "9000
9000
9000 080910100000000020" "$(apdus 00A4040C07A0000000871002 00A4000C026F07 00B0000009)"

# In the second slot, another kind of card.
lab=$(dirname "$0")/../../fixtures/profiles/lab.toml
"$midsim" sim attach "$card" --alone --card-profile "$lab" --reader 127.0.0.1:35964 2>"$scratch/lab" >/dev/null &
started+=($!)
until_works "the card of the lab" says lab '^# PIN1 1234 (off), PIN2 1234'
tries lab 1
grep -q 'opensc-tool -r 1 -a' "$scratch/lab.sh" || fail "the second slot has another number"

# Another card waits for the first one to leave, and a third one is not let in at all.
"$midsim" sim attach +447700900003 --alone 2>"$scratch/waiting" >/dev/null &
started+=($!)
until_works "the news that the reader does not ask" says waiting 'does not ask for the card'
! says waiting 'is in the reader' || fail "a card that waits is said to be in the reader"
reads_iccid 2 || fail "the first card is in the reader no longer"
timeout -k 5 -s INT 0.5 "$midsim" sim attach +447700900004 --alone 2>"$scratch/third" || [ $? = 124 ] || fail "Ctrl-C does not end it"
! says third 'is in the reader' || fail "a third card is in the reader"
kill -s HUP "${started[1]}" && wait "${started[1]}" || fail "attach does not end well when its terminal closes"
unset 'started[1]'
until_works "the card that waited" says waiting 'is in the reader'
reads_iccid 3 || fail "it is another card"
# The commands of the documentation, on a card that is as fresh as its reader takes it to be.
sed -n '/^```sh$/,/^```$/p' "$(dirname "$0")/../../src/docs/reader.md" | grep '^opensc-tool' >"$scratch/doc.sh"
timeout 30 bash -eu "$scratch/doc.sh" >"$scratch/documented" 2>&1 || fail "the documentation's commands do not run"
[ "$(grep -c SW1=0x90 "$scratch/documented")" = 3 ] || fail "the documentation's commands do not work"
for started_one in "${started[2]}" "${started[3]}"; do
    kill -s INT "$started_one" && wait "$started_one" || fail "attach does not end well"
done
unset 'started[2]' 'started[3]'
# The driver asks for its card only now and then. Put in before it misses the last one, the next would be pulled again.
until_works "an empty reader" sh -c '! timeout 5 opensc-tool -r 0 -a'

# The card of a running midsim: what the reader did to it is still so in its handset, and the handset is off meanwhile.
"$midsim" exec -- "$0" "$midsim" inside
