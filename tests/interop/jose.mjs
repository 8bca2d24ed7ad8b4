#!/usr/bin/env node
// npm's jose as the other end of everything that is signed or encrypted: it makes login_hint_tokens for the OP, signs request
// objects and assertions, and verifies id_tokens, signed userinfo and the discovery service's tokens.
//   node jose.mjs MIDSIM WORLD     in the folder where the packages are installed
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const jose = await import(pathToFileURL(createRequire(pathToFileURL(`${process.cwd()}/x.js`)).resolve('jose')).href);
const [, script, midsim, world, inside] = process.argv;
const FOREIGN = 'https://discovery.example';
const NUMBER = '+447700900002';
const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const CIBA = 'urn:openid:params:grant-type:ciba';

if (!inside) {
    // A discovery service that is not midsim's: the OP is told of its key by the world.
    const folder = mkdtempSync(join(tmpdir(), 'midsim-jose-'));
    try {
        const { publicKey, privateKey } = await jose.generateKeyPair('ES256', { extractable: true });
        const { kty, crv, x, y } = await jose.exportJWK(publicKey);
        writeFileSync(join(folder, 'key.jwk'), JSON.stringify(await jose.exportJWK(privateKey)));
        const issuer = `\n[[op.hints.issuer]]\niss = "${FOREIGN}"\njwks = { keys = [{ kty = "${kty}", crv = "${crv}", x = "${x}", y = "${y}" }] }\n`;
        const text = readFileSync(world, 'utf8').replace('\n[smpp]\n', `${issuer}\n[smpp]\n`);
        writeFileSync(join(folder, 'world.toml'), text);
        const options = ['exec', '--world', join(folder, 'world.toml'), '--op-interval', '1', '--op-slow-down=false', '--'];
        execFileSync(midsim, [...options, process.execPath, script, midsim, folder, 'inside'], { stdio: 'inherit' });
    } finally {
        rmSync(folder, { recursive: true });
    }
    process.exit(0);
}

const op = process.env.MIDSIM_OP_URL;
const metadata = await (await fetch(`${op}/.well-known/openid-configuration`)).json();
const jwks = await (await fetch(metadata.jwks_uri)).json();
const opKeys = jose.createRemoteJWKSet(new URL(metadata.jwks_uri));
let checks = 0;
const check = (what, good, seen) => {
    checks += 1;
    if (!good) throw new Error(`${what}: ${JSON.stringify(seen)}`);
};
const basic = `Basic ${Buffer.from('poll:poll-secret').toString('base64')}`;
const post = async (url, form, headers = {}) => {
    const response = await fetch(url, { method: 'POST', body: new URLSearchParams(form), headers });
    return { status: response.status, ...(await response.json()) };
};
const authorize = (form) => post(metadata.backchannel_authentication_endpoint,
    { scope: 'openid', acr_values: 'mod-mf', ...form }, { authorization: basic });
const poll = async (ask) => {
    for (let turn = 0; turn < 60; turn += 1) {
        const answer = await ask();
        if (answer.error !== 'authorization_pending') return answer;
        await new Promise((resolve) => setTimeout(resolve, 200));
    }
    throw new Error('no outcome');
};

// 1. login_hint_tokens by jose, in every alg and enc: JWE over claims, and JWE over a JWS of the foreign discovery service.
const signing = await jose.importJWK(JSON.parse(readFileSync(join(world, 'key.jwk'), 'utf8')), 'ES256');
const encrypting = (kty) => jwks.keys.find((key) => key.use === 'enc' && key.kty === kty);
const claims = { iss: FOREIGN, aud: metadata.issuer, iat: Math.floor(Date.now() / 1000), MSISDN: NUMBER };
const inner = await new jose.SignJWT(claims).setProtectedHeader({ alg: 'ES256', typ: 'JWT' }).sign(signing);
for (const alg of ['RSA-OAEP-256', 'ECDH-ES', 'ECDH-ES+A128KW', 'ECDH-ES+A256KW']) {
    const jwk = encrypting(alg === 'RSA-OAEP-256' ? 'RSA' : 'EC');
    const key = await jose.importJWK(jwk, alg);
    for (const enc of ['A128GCM', 'A256GCM', 'A128CBC-HS256', 'A256CBC-HS512']) {
        for (const [content, cty] of [[inner, 'JWT'], [JSON.stringify(claims), undefined]]) {
            const header = { alg, enc, kid: jwk.kid, ...(cty && { cty }) };
            const token = await new jose.CompactEncrypt(new TextEncoder().encode(content)).setProtectedHeader(header).encrypt(key);
            const answer = await authorize({ login_hint_token: token });
            check(`login_hint_token ${alg} ${enc} ${cty}`, answer.status === 200, answer);
        }
    }
}
for (const [alg, enc, kty] of [['RSA-OAEP', 'A128GCM', 'RSA'], ['ECDH-ES+A192KW', 'A128GCM', 'EC'], ['ECDH-ES', 'A192GCM', 'EC']]) {
    const key = await jose.importJWK({ ...encrypting(kty), alg: undefined }, alg);
    const token = await new jose.CompactEncrypt(new TextEncoder().encode(inner)).setProtectedHeader({ alg, enc }).encrypt(key);
    const answer = await authorize({ login_hint_token: token });
    check(`${alg} ${enc} is refused`, answer.status === 400 && answer.error === 'invalid_request', answer);
}
const old = await new jose.SignJWT({ ...claims, iat: claims.iat - 700 }).setProtectedHeader({ alg: 'ES256' }).sign(signing);
const stale = await new jose.CompactEncrypt(new TextEncoder().encode(old))
    .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A128GCM' }).encrypt(await jose.importJWK(encrypting('EC'), 'ECDH-ES'));
const expired = await authorize({ login_hint_token: stale });
check('an old token', expired.status === 400 && expired.error === 'expired_login_hint_token', expired);

// 2. midsim's own discovery service: its signed tokens verify, its encrypted ones are of use to the OP and tell nobody else.
const service = process.env.MIDSIM_DISCOVERY_URL;
const about = await (await fetch(`${service}/.well-known/openid-configuration`)).json();
const said = await post(`${service}/discover`, { msisdn: NUMBER, format: 'jws' });
const { payload: discovered } = await jose.jwtVerify(said.login_hint_token, jose.createRemoteJWKSet(new URL(about.jwks_uri)),
    { issuer: about.issuer, audience: metadata.issuer });
check('claims of the discovery service', discovered.MSISDN === NUMBER, discovered);
const { login_hint_token: hint } = await post(`${service}/discover`, { msisdn: NUMBER });
check('an encrypted token', jose.decodeProtectedHeader(hint).alg === 'ECDH-ES' && !hint.includes(NUMBER.slice(1)), hint);
const started = await authorize({ login_hint_token: hint });
check('a token of the discovery service', started.status === 200, started);
const tokens = await poll(() => post(metadata.token_endpoint, { grant_type: CIBA, auth_req_id: started.auth_req_id }, { authorization: basic }));
const es256 = await jose.jwtVerify(tokens.id_token, opKeys, { issuer: metadata.issuer, audience: 'poll', algorithms: ['ES256'] });
check('an id_token with ES256', es256.payload.sub && es256.payload.acr === 'mod-mf', es256.payload);

// 3. A client that registers itself with an RSA key: assertions, request object, id_token and userinfo with PS256.
const rsa = await jose.generateKeyPair('PS256', { extractable: true });
const rsaJwk = { ...(await jose.exportJWK(rsa.publicKey)), kid: 'rsa', use: 'sig', alg: 'PS256' };
const registration = await fetch(metadata.registration_endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
        backchannel_token_delivery_mode: 'poll', grant_types: [CIBA], response_types: [], jwks: { keys: [rsaJwk] },
        token_endpoint_auth_method: 'private_key_jwt', token_endpoint_auth_signing_alg: 'PS256',
        backchannel_authentication_request_signing_alg: 'PS256', backchannel_user_code_parameter: false,
        id_token_signed_response_alg: 'PS256', userinfo_signed_response_alg: 'PS256',
    }),
});
const client = await registration.json();
check('registration', registration.status === 201 && client.client_id, client);
const jwt = (body, alg = 'PS256') => new jose.SignJWT({ ...body, jti: crypto.randomUUID() }).setProtectedHeader({ alg, kid: 'rsa' })
    .setIssuer(client.client_id).setIssuedAt().setNotBefore('0s').setExpirationTime('5m').setAudience(metadata.issuer).sign(rsa.privateKey);
const assertion = async () => ({ client_assertion_type: JWT_BEARER, client_assertion: await jwt({ sub: client.client_id }) });
const request = await jwt({ scope: 'openid phone', acr_values: 'mod-mf', login_hint: NUMBER, requested_expiry: 60 });
const asked = await post(metadata.backchannel_authentication_endpoint, { request, ...(await assertion()) });
check('a request object with PS256', asked.status === 200 && asked.expires_in === 60, asked);
const again = await post(metadata.backchannel_authentication_endpoint, { request, ...(await assertion()) });
check('a request object for the second time', again.status === 400 && again.error === 'invalid_request', again);
const issued = await poll(async () => post(metadata.token_endpoint, { grant_type: CIBA, auth_req_id: asked.auth_req_id, ...(await assertion()) }));
const ps256 = await jose.jwtVerify(issued.id_token, opKeys, { issuer: metadata.issuer, audience: client.client_id, algorithms: ['PS256'] });
const userinfo = await fetch(metadata.userinfo_endpoint, { headers: { authorization: `Bearer ${issued.access_token}` } });
const signed = await jose.jwtVerify(await userinfo.text(), opKeys, { issuer: metadata.issuer, audience: client.client_id, algorithms: ['PS256'] });
check('userinfo with PS256', signed.payload.sub === ps256.payload.sub && signed.payload.phone_number === NUMBER, signed.payload);
const bearer = { headers: { authorization: `Bearer ${client.registration_access_token}` } };
check('deletion', (await fetch(client.registration_client_uri, { ...bearer, method: 'DELETE' })).status === 204);
check('it is gone', (await fetch(client.registration_client_uri, bearer)).status === 401);

// 4. A client with a self-signed certificate, over mutual TLS: it authenticates by it, and its token is good with it only (RFC 8705).
const folder = join(dirname(script), '../../fixtures/certificates');
const der = readFileSync(join(folder, 'client-ec-TEST-ONLY.der'));
const certificate = new X509Certificate(der);
const ownJwk = { ...certificate.publicKey.export({ format: 'jwk' }), x5c: [der.toString('base64')] };
const ca = await (await fetch(`${process.env.MIDSIM_UI_URL}/ca.pem`)).text();
const shown = { ca, cert: certificate.toString(), key: readFileSync(join(folder, 'client-ec-TEST-ONLY.key'), 'utf8') };
const over = (url, tls, { form, token }) => new Promise((resolve, reject) => {
    const headers = { ...(form && { 'content-type': 'application/x-www-form-urlencoded' }), ...(token && { authorization: `Bearer ${token}` }) };
    const sent = httpsRequest(url, { method: form ? 'POST' : 'GET', headers, ...tls }, (response) => {
        const parts = [];
        response.on('data', (part) => parts.push(part));
        response.on('end', () => resolve({ status: response.statusCode, ...JSON.parse(Buffer.concat(parts)) }));
    });
    sent.on('error', reject);
    sent.end(form && new URLSearchParams(form).toString());
});
const aliases = metadata.mtls_endpoint_aliases;
const own = await (await fetch(metadata.registration_endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
        backchannel_token_delivery_mode: 'poll', token_endpoint_auth_method: 'self_signed_tls_client_auth',
        tls_client_certificate_bound_access_tokens: true, jwks: { keys: [ownJwk] },
    }),
})).json();
const client_id = own.client_id;
check('registration of a certificate', client_id && !own.client_secret, own);
const wanted = { client_id, scope: 'openid', acr_values: 'mod-pr', login_hint: NUMBER };
const bare = await over(aliases.backchannel_authentication_endpoint, { ca }, { form: wanted });
check('without a certificate', bare.status === 401 && bare.error === 'invalid_client', bare);
const rung = await over(aliases.backchannel_authentication_endpoint, shown, { form: wanted });
check('with the certificate', rung.status === 200, rung);
const bound = await poll(() => over(aliases.token_endpoint, shown, { form: { grant_type: CIBA, client_id, auth_req_id: rung.auth_req_id } }));
const good = await over(aliases.userinfo_endpoint, shown, { token: bound.access_token });
check('userinfo with the certificate', good.status === 200 && good.sub, good);
const stolen = await over(aliases.userinfo_endpoint, { ca }, { token: bound.access_token });
check('userinfo without it', stolen.status === 401 && stolen.error === 'invalid_token', stolen);

console.log(`PASS: ${checks} checks with jose`);
