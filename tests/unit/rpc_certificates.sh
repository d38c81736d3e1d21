#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the certificates of the tests in a folder: an authority, a server's (localhost, 127.0.0.1), one that has
# expired, a client's, and another authority with a client's that nobody trusts.
set -eu
cd "$1"

key() {
    openssl ecparam -name prime256v1 -genkey -noout -out "$1.sec1"
    openssl pkcs8 -topk8 -nocrypt -in "$1.sec1" -out "$1.key"
    rm "$1.sec1"
}

authority() {
    key "$1"
    openssl req -x509 -new -key "$1.key" -days 2 -subj "/CN=$1" -out "$1.crt" 2>/dev/null
}

# signed NAME AUTHORITY COMMON_NAME [START END]
signed() {
    key "$1"
    openssl req -new -key "$1.key" -subj "/CN=$3" -out "$1.csr" 2>/dev/null
    mkdir -p "db.$1"
    : >"db.$1/index"
    openssl rand -hex 8 >"db.$1/serial"
    printf '%s\n' '[ca]' 'default_ca=d' '[d]' "database=db.$1/index" "serial=db.$1/serial" "new_certs_dir=db.$1" \
        'default_md=sha256' 'policy=p' 'x509_extensions=e' 'unique_subject=no' '[p]' 'commonName=supplied' '[e]' \
        'subjectAltName=DNS:localhost,IP:127.0.0.1' >"db.$1/conf"
    if [ $# -gt 3 ]; then
        set -- "$1" "$2" -startdate "$4" -enddate "$5"
    else
        set -- "$1" "$2" -days 2
    fi
    name=$1 ca=$2
    shift 2
    openssl ca -batch -notext -config "db.$name/conf" -keyfile "$ca.key" -cert "$ca.crt" -in "$name.csr" \
        -out "$name.crt" "$@" 2>/dev/null
    rm -r "db.$name" "$name.csr"
}

authority ca
authority stranger
signed server ca localhost
signed expired ca localhost 20200101000000Z 20200102000000Z
signed client ca agent-7
signed foreign stranger agent-7
