#!/usr/bin/env bash
# Inside `midsim exec`: classes from the WSDL that is served, and the client over them. $1 is a file with the class path,
# $2 a folder for what is made.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
classpath=$(cat "$1") made=$2
rm -rf "$made"
mkdir -p "$made/src" "$made/classes"
# HttpURLConnection does not send Expect unless it may.
java=(java -Xshare:auto -Dsun.net.http.allowRestrictedHeaders=true -Djavax.xml.accessExternalSchema=http -cp "$classpath:$made/classes")
# rpc/literal over SOAP 1.2 is the standard's choice and JAX-WS' extension.
"${java[@]}" com.sun.tools.ws.WsImport -quiet -extension -Xnocompile -s "$made/src" "$MIDSIM_MSSP_URL?wsdl"
find "$made/src" -name '*.java' -print0 | xargs -0 javac -nowarn -encoding UTF-8 -cp "$classpath" -d "$made/classes" "$here/MsspClient.java"
for ap in http://midsim.test/ap http://midsim.test/etsi; do
    echo "as $ap"
    "${java[@]}" MsspClient "$MIDSIM_MSSP_URL" +447700900002 "$ap" midsim-ap
done
