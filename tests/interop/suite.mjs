#!/usr/bin/env node
// What the OIDF conformance suite's plan `fapi-ciba-id1` (plain_fapi) asks of an OP, request by request in its order, against a
// running `midsim up`: poll and ping, private_key_jwt and mutual TLS, clients of the world file and clients that register
// themselves. Then what the OP calls over TLS beyond the plan: a push to https, keys at a jwks_uri, servers that are not believed.
//   node suite.mjs MIDSIM WORLD_FILE      (run where jose is installed; needs openssl)
// The clock of the OP stands and is moved, so that nothing waits. Exit status 0 only when every answer was as it should be.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHash, createPrivateKey, createPublicKey, randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, createServer, request as httpsRequest } from 'node:https';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [midsim, worldFile] = process.argv.slice(2);
const jose = await import(pathToFileURL(createRequire(join(process.cwd(), 'x.js')).resolve('jose')).href);
const CIBA = 'urn:openid:params:grant-type:ciba';
const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const CLAIM = 'urn:openid:params:jwt:claim:';
const USER = '+447700900001';

const folder = mkdtempSync(join(tmpdir(), 'midsim-suite-'));
const openssl = (...args) => execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] }).toString();
const read = (name) => readFileSync(join(folder, name), 'utf8');

// A certification authority, or a certificate of one; without an authority it signs itself.
function certify(name, { by, ec, san, cn = name } = {}) {
  const kind = ec ? ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'] : ['-newkey', 'rsa:2048'];
  const more = san ? ['-addext', `subjectAltName=${san}`] : [];
  const signer = by ? ['-CA', `${by}.pem`, '-CAkey', `${by}.key`, '-addext', 'basicConstraints=critical,CA:FALSE'] : [];
  openssl('req', '-x509', ...kind, '-nodes', '-keyout', `${name}.key`, '-out', `${name}.pem`, '-days', '2',
    '-subj', `/O=midsim TEST ONLY/CN=${cn}`, ...signer, ...more);
  return { cert: read(`${name}.pem`), key: read(`${name}.key`) };
}

// Key and certificate of a client as a JWK with x5c. Without an alg it is for its owner's registration alone to say which is right.
function jwkOf(name, alg) {
  const der = read(`${name}.pem`).replace(/-----[^-]+-----|\s/g, '');
  const jwk = createPublicKey(read(`${name}.pem`)).export({ format: 'jwk' });
  return { ...jwk, kid: name, use: 'sig', ...(alg && { alg }), x5c: [der] };
}

let checks = 0;
let modules = 0;
let doing = '';
async function module(name, play) {
  doing = name;
  await play();
  modules += 1;
}
function check(what, good, seen) {
  checks += 1;
  assert.ok(good, `${doing}: ${what}: ${JSON.stringify(seen)}`);
}
const one = (seen, ...codes) => codes.includes(seen.body?.error);

// The OP under test.
class Suite {
  static async start(world, options) {
    const up = spawn(midsim, ['up', '--json', '--frozen', '--port-base', '0', '--world', world, '--tls', 'op',
      '--tls-client-ca', join(folder, 'clients.pem'), '--tls-trust', join(folder, 'servers.pem'), ...options],
    { stdio: ['ignore', 'pipe', 'inherit'] });
    const urls = await new Promise((resolve, reject) => {
      let text = '';
      up.stdout.on('data', (data) => { text += data; if (text.includes('\n')) resolve(JSON.parse(text)); });
      up.on('exit', (code) => reject(new Error(`midsim up ended with ${code}`)));
    });
    const suite = Object.assign(new Suite(), { up, urls, agents: new Map() });
    suite.ca = await (await fetch(`${urls.ui}/ca.pem`)).text();
    suite.now = Date.parse((await (await fetch(`${urls.ui}/api/v1/clock`)).json()).now) / 1000 | 0;
    const answer = await suite.call('GET', `${urls.op}/.well-known/openid-configuration`);
    suite.metadata = answer.body;
    suite.keys = jose.createLocalJWKSet((await suite.call('GET', suite.metadata.jwks_uri)).body);
    return suite;
  }

  async stop() {
    this.agents.forEach((agent) => agent.destroy());
    this.up.removeAllListeners('exit');
    const ended = new Promise((resolve) => { this.up.on('exit', resolve); });
    this.up.kill('SIGTERM');
    await ended;
  }

  // One request over TLS, showing the certificate `as` if there is one.
  call(method, url, { as, headers = {}, body } = {}) {
    const id = as?.cert ?? '';
    if (!this.agents.has(id)) this.agents.set(id, new Agent({ keepAlive: true, ca: this.ca, cert: as?.cert, key: as?.key }));
    return new Promise((resolve, reject) => {
      const sent = httpsRequest(url, { method, headers, agent: this.agents.get(id) }, (response) => {
        const parts = [];
        response.on('data', (part) => parts.push(part));
        response.on('end', () => {
          const text = Buffer.concat(parts).toString();
          let json;
          try { json = JSON.parse(text); } catch { json = undefined; }
          resolve({ status: response.statusCode, headers: response.headers, text, body: json });
        });
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }

  post(url, form, as) {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    return this.call('POST', url, { as, headers, body: new URLSearchParams(form).toString() });
  }

  async advance(seconds) {
    await fetch(`${this.urls.ui}/api/v1/clock/advance`, {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ seconds }),
    });
    this.now += seconds;
  }

  // As the suite calls its `automated_ciba_approval_url`: no body.
  async decide(authReqId, action) {
    const url = `${this.urls.ui}/admin/ciba/decision?auth_req_id=${authReqId}&action=${action}`;
    const answer = await fetch(url, { method: 'POST' });
    check(`decision ${action}`, answer.ok, answer.status);
  }

  // The rows of the transaction in which this was said.
  async trace(what) {
    const { traces } = await (await fetch(`${this.urls.ui}/api/v1/traces`)).json();
    for (const { id } of traces) {
      const text = await (await fetch(`${this.urls.ui}/api/v1/traces/${encodeURIComponent(id)}`)).text();
      if (text.includes(what)) return text;
    }
    throw new Error(`${doing}: no trace of ${what}`);
  }
}

// The notification endpoint of all ping and push clients.
class Receiver {
  static async start(identity) {
    const receiver = new Receiver();
    receiver.arrived = [];
    receiver.answer = { status: 204 };
    receiver.server = createServer(identity, async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      if (request.url === '/jwks.json') {
        receiver.fetched = (receiver.fetched ?? 0) + 1;
        return response.writeHead(200, { 'content-type': 'application/jwk-set+json' }).end(JSON.stringify({ keys: receiver.keys }));
      }
      receiver.arrived.push({ url: request.url, headers: request.headers, body: JSON.parse(body || 'null') });
      response.writeHead(receiver.answer.status, receiver.answer.headers).end(receiver.answer.body);
      receiver.wake?.();
    });
    await new Promise((resolve) => { receiver.server.listen(0, '127.0.0.1', resolve); });
    receiver.url = `https://localhost:${receiver.server.address().port}/cb`;
    return receiver;
  }

  async next() {
    const late = setTimeout(() => { throw new Error(`${doing}: nothing arrived within 30 s`); }, 30_000);
    while (this.arrived.length === 0) await new Promise((resolve) => { this.wake = resolve; });
    clearTimeout(late);
    return this.arrived.shift();
  }

  close() {
    this.server.closeAllConnections();
    this.server.close();
  }
}

// An RP of the plan.
class Client {
  constructor(suite, about) {
    Object.assign(this, about, { suite });
    this.private = createPrivateKey(read(`${this.name}.key`));
    this.identity = { cert: read(`${this.name}.pem`), key: read(`${this.name}.key`) };
  }

  get bc() {
    const { metadata } = this.suite;
    return (this.auth === 'mtls' ? metadata.mtls_endpoint_aliases : metadata).backchannel_authentication_endpoint;
  }

  get token() { return this.suite.metadata.mtls_endpoint_aliases.token_endpoint; }

  sign(claims, { alg = this.alg, key = this.private, header = {} } = {}) {
    return new jose.SignJWT(claims).setProtectedHeader({ alg, kid: this.name, ...header }).sign(key);
  }

  // What authenticates it at an endpoint; over mutual TLS that is its name alone.
  async proof(aud, options) {
    if (this.auth === 'mtls') return { client_id: this.id };
    const claims = { iss: this.id, sub: this.id, aud, jti: randomUUID(), iat: this.suite.now, exp: this.suite.now + 60 };
    return { client_assertion_type: JWT_BEARER, client_assertion: await this.sign(claims, options) };
  }

  claims(more = {}) {
    this.notification = more.client_notification_token ?? randomBytes(24).toString('base64url');
    const { now, metadata } = this.suite;
    const all = {
      iss: this.id, aud: metadata.issuer, iat: now, nbf: now, exp: now + 300, jti: randomUUID(),
      scope: 'openid', login_hint: USER, ...(this.mode === 'ping' && { client_notification_token: this.notification }), ...more,
    };
    return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  }

  async authorize(more, { aud = this.suite.metadata.issuer, signing, proof, request } = {}) {
    const form = { request: request ?? await this.sign(this.claims(more), signing), ...(proof ?? await this.proof(aud)) };
    return this.suite.post(this.bc, form, this.identity);
  }

  // An authentication request that is taken.
  async begin(more, options) {
    const { status, headers, body } = await this.authorize(more, options);
    check('acknowledged', status === 200 && headers['content-type'].startsWith('application/json'), body);
    check('no-store', /no-store/.test(headers['cache-control']), headers);
    check('auth_req_id', /^[A-Za-z0-9._-]{32,}$/.test(body.auth_req_id), body);
    check('expires_in and interval', Number.isInteger(body.expires_in) && body.expires_in > 0 && body.interval >= 1, body);
    this.interval = body.interval;
    return body;
  }

  async poll(authReqId, { proof, aud = this.token, options } = {}) {
    const form = { grant_type: CIBA, auth_req_id: authReqId, ...(proof ?? await this.proof(aud, options)) };
    return this.suite.post(this.token, form, this.identity);
  }

  async pendingTwice(authReqId) {
    for (let turn = 0; turn < 2; turn += 1) {
      const seen = await this.poll(authReqId);
      check('pending', seen.status === 400 && one(seen, 'authorization_pending', 'slow_down'), seen.body);
      await this.suite.advance(this.interval);
    }
  }

  // A ping client is told, poll clients find out.
  async told(authReqId) {
    if (this.mode !== 'ping') return;
    const { headers, body } = await this.receiver.next();
    check('bearer token of the ping', headers.authorization === `Bearer ${this.notification}`, headers);
    check('content type of the ping', headers['content-type'].startsWith('application/json'), headers);
    check('body of the ping', JSON.stringify(body) === JSON.stringify({ auth_req_id: authReqId }), body);
  }

  async decided(authReqId, action) {
    await this.suite.decide(authReqId, action);
    await this.told(authReqId);
  }

  // Refuses what was only begun, so that the handset is free again.
  async clear(authReqId) {
    await this.decided(authReqId, 'deny');
    await this.poll(authReqId);
  }

  async tokens(authReqId, acr) {
    const answer = await this.poll(authReqId);
    const { status, headers, body } = answer;
    check('tokens', status === 200 && body.token_type.toLowerCase() === 'bearer' && body.expires_in > 0, body);
    check('no-store', /no-store/.test(headers['cache-control']), headers);
    check('length of the access token', Buffer.from(body.access_token, 'base64url').length >= 16, body.access_token);
    const { payload, protectedHeader } = await jose.jwtVerify(body.id_token, this.suite.keys, {
      issuer: this.suite.metadata.issuer, audience: this.id, algorithms: ['PS256', 'ES256'], currentDate: new Date(this.suite.now * 1000),
    });
    check('kid of the id_token', protectedHeader.kid && protectedHeader.alg === this.idTokenAlg, protectedHeader);
    check('nonce only when asked for', payload.nonce === undefined, payload);
    const half = createHash('sha256').update(body.access_token).digest().subarray(0, 16).toString('base64url');
    check('at_hash', payload.at_hash === half, payload);
    check('acr', acr === undefined || payload.acr === acr, payload);
    const said = payload[`${CLAIM}auth_req_id`];
    check('auth_req_id in the id_token', said === undefined || said === authReqId, payload);
    return body;
  }

  async flow(more, acr) {
    const { auth_req_id: id } = await this.begin(more);
    await this.decided(id, 'allow');
    return this.tokens(id, acr);
  }
}

const refused = (name, seen, ...codes) => check(name, seen.status === 400 && one(seen, ...codes)
  && Object.keys(seen.body).every((member) => ['error', 'error_description', 'error_uri'].includes(member)), seen.body);

async function discovery(suite) {
  const { metadata } = suite;
  check('issuer', metadata.issuer === suite.urls.op && metadata.issuer.startsWith('https:'), metadata.issuer);
  check('bound tokens', metadata.tls_client_certificate_bound_access_tokens === true, metadata);
  const has = (member, ...values) => check(member, values.some((value) => metadata[member]?.includes(value)), metadata[member]);
  has('id_token_signing_alg_values_supported', 'PS256');
  has('id_token_signing_alg_values_supported', 'ES256');
  for (const method of ['private_key_jwt', 'tls_client_auth', 'self_signed_tls_client_auth']) has('token_endpoint_auth_methods_supported', method);
  has('token_endpoint_auth_signing_alg_values_supported', 'PS256');
  has('userinfo_signing_alg_values_supported', 'PS256', 'ES256');
  has('grant_types_supported', CIBA);
  has('backchannel_token_delivery_modes_supported', 'poll');
  has('backchannel_token_delivery_modes_supported', 'ping');
  check('no push', !metadata.backchannel_token_delivery_modes_supported.includes('push'), metadata);
  has('backchannel_authentication_request_signing_alg_values_supported', 'PS256');
  for (const member of ['jwks_uri', 'backchannel_authentication_endpoint', 'token_endpoint', 'authorization_endpoint', 'registration_endpoint']) {
    check(member, metadata[member]?.startsWith('https:'), metadata);
  }
  for (const [member, url] of Object.entries(metadata.mtls_endpoint_aliases)) {
    const good = member.endsWith('_endpoint') && member !== 'authorization_endpoint' && metadata[member] && url.startsWith('https:');
    check(`alias ${member}`, good, metadata.mtls_endpoint_aliases);
  }
  const stub = await suite.call('GET', `${metadata.authorization_endpoint}?response_type=code`);
  check('authorization endpoint', stub.status === 400 && stub.body.error, stub.body);
}

// The resource: only with the certificate that the token was made for.
async function resource(suite, client, other, token) {
  const url = suite.metadata.mtls_endpoint_aliases.userinfo_endpoint;
  const headers = { authorization: `Bearer ${token}`, 'x-fapi-interaction-id': randomUUID() };
  for (const accept of ['application/json', 'application/x-unknown;q=0.1', '*/*', undefined]) {
    const seen = await suite.call('GET', url, { as: client.identity, headers: { ...headers, ...(accept && { accept }) } });
    check('resource', seen.status === 200 && seen.headers['content-type'].startsWith('application/json') && seen.body.sub, seen.body);
    check('interaction id', seen.headers['x-fapi-interaction-id'] === headers['x-fapi-interaction-id'], seen.headers);
    check('Date', Math.abs(Date.parse(seen.headers.date) - Date.now()) < 300_000, seen.headers.date);
  }
  for (const as of [other.identity, undefined]) {
    const seen = await suite.call('GET', url, { as, headers });
    check('resource with another certificate or none', seen.status === 401 && seen.body.error === 'invalid_token', seen.body);
  }
  const query = await suite.call('GET', `${url}?access_token=${token}`, { as: client.identity });
  check('token in the query', query.status >= 400 && query.status < 500, query.status);
  const about = await suite.post(suite.metadata.mtls_endpoint_aliases.introspection_endpoint,
    { token, ...(await client.proof(suite.metadata.issuer)) }, client.identity);
  const der = Buffer.from(client.identity.cert.replace(/-----[^-]+-----|\s/g, ''), 'base64');
  const thumbprint = createHash('sha256').update(der).digest('base64url');
  check('cnf at introspection', about.body.active === true && about.body.cnf?.['x5t#S256'] === thumbprint, about.body);
}

const BAD_TEXT = '\u{1F600}\u4F60\u597D'.repeat(160);

async function plan(suite, first, second) {
  const { metadata } = suite;
  await module('fapi-ciba-id1', async () => {
    const { auth_req_id: id } = await first.begin();
    await first.pendingTwice(id);
    await first.decided(id, 'allow');
    const tokens = await first.tokens(id);
    await resource(suite, first, second, tokens.access_token);
    refused('the same auth_req_id again', await first.poll(id), 'invalid_grant');
    const more = { acr_values: metadata.acr_values_supported[0], requested_expiry: 300, client_notification_token: 'x'.repeat(1024) };
    const asked = await second.begin(more, { aud: metadata.token_endpoint, signing: { header: { typ: 'oauth-authz-req+jwt' } } });
    check('requested_expiry', asked.expires_in === 300, asked);
    await second.pendingTwice(asked.auth_req_id);
    await second.decided(asked.auth_req_id, 'allow');
    const others = await second.tokens(asked.auth_req_id, metadata.acr_values_supported[0]);
    await resource(suite, second, first, others.access_token);
  });
  await module('user-rejects-authentication', async () => {
    const { auth_req_id: id } = await first.begin();
    await first.decided(id, 'deny');
    refused('after refusal', await first.poll(id), 'access_denied');
  });
  await module('multiple-call-to-token-endpoint', async () => {
    const { auth_req_id: id } = await first.begin();
    for (let turn = 0; turn < 20; turn += 1) {
      const seen = await first.poll(id);
      const again = seen.status === 503 && seen.headers['retry-after'];
      check('rapid poll', again || (seen.status === 400 && one(seen, 'authorization_pending', 'slow_down', 'invalid_request')), seen.body);
    }
    await first.clear(id);
  });
  await module('auth-req-id-expired', async () => {
    const asked = await first.begin({ requested_expiry: 10 });
    check('requested_expiry', asked.expires_in === 10, asked);
    await suite.advance(11);
    await first.told(asked.auth_req_id);
    refused('after expiry', await first.poll(asked.auth_req_id), 'expired_token');
    // What the handset still shows ends by itself.
    await suite.advance(300);
  });
  await module('with-binding-message-succeeds', () => first.flow({ binding_message: '1234' }));
  await module('ensure-other-scope-order-succeeds', () => first.flow({ scope: 'email phone openid' }));
  await module('ensure-requested-expiry-as-string-succeeds', async () => {
    const asked = await first.begin({ requested_expiry: '30' });
    check('requested_expiry', asked.expires_in === 30, asked);
    await first.decided(asked.auth_req_id, 'allow');
    await first.tokens(asked.auth_req_id);
  });
  await module('with-potentially-bad-binding-message', async () => {
    refused('a long text with emoji', await first.authorize({ binding_message: BAD_TEXT }), 'invalid_binding_message');
  });
  const { now } = suite;
  const defects = {
    'missing-aud': { aud: undefined }, 'bad-aud': { aud: 'https://other.example.com/' }, 'missing-iss': { iss: undefined }, 'bad-iss': { iss: 'x' },
    'missing-exp': { exp: undefined }, 'expired-exp': { exp: now - 300 }, 'exp-is-70-min-future': { exp: now + 4200 },
    'missing-iat': { iat: undefined }, 'missing-nbf': { nbf: undefined }, 'nbf-10-min-future': { nbf: now + 600, exp: now + 900 },
    'nbf-70-min-past': { nbf: now - 4200 }, 'missing-jti': { jti: undefined },
  };
  for (const [name, change] of Object.entries(defects)) {
    await module(`ensure-request-object-${name}`, async () => refused(name, await first.authorize(change), 'invalid_request'));
  }
  const bad = async (name, request) => module(name, async () => refused(name, await first.authorize({}, { request }), 'invalid_request'));
  const unsigned = [{ alg: 'none' }, first.claims()].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  await bad('ensure-request-object-signature-alg-none', `${unsigned}.`);
  const good = await first.sign(first.claims());
  const middle = good.lastIndexOf('.') + 20;
  await bad('ensure-request-object-bad-signature', `${good.slice(0, middle)}${good[middle] === 'A' ? 'B' : 'A'}${good.slice(middle + 1)}`);
  if (first.alg === 'PS256') await bad('ensure-request-object-signature-alg-RS256', await first.sign(first.claims(), { alg: 'RS256' }));
  await bad('ensure-request-object-signed-by-other-client', await first.sign(first.claims(), { key: second.private }));
  await module('multiple-hints', async () => {
    refused('two hints', await first.authorize({ id_token_hint: 'x.y.z' }), 'invalid_request');
  });
  await module('wrong-authentication-request-id-in-token-endpoint', async () => {
    const { auth_req_id: id } = await first.begin();
    refused('the id of another client', await second.poll(id), 'invalid_grant');
    await first.clear(id);
  });
  await module('ensure-unsigned-bc-request-fails', async () => {
    const { iss, aud, iat, nbf, exp, jti, ...plain } = first.claims();
    const seen = await suite.post(first.bc, { ...plain, ...(await first.proof(metadata.issuer)) }, first.identity);
    refused('plain parameters', seen, 'invalid_request');
  });
  await module('refresh-token', async () => {
    const { refresh_token: old } = await first.flow();
    const renew = async (client, token) => suite.post(client.token,
      { grant_type: 'refresh_token', refresh_token: token, ...(await client.proof(client.token)) }, client.identity);
    refused('by another client', await renew(second, old), 'invalid_grant');
    const renewed = await renew(first, old);
    check('refreshed', renewed.status === 200 && renewed.body.access_token, renewed.body);
    await resource(suite, first, second, renewed.body.access_token);
  });
  await module('ensure-mtls-holder-of-key-required', async () => {
    const { auth_req_id: id } = await first.begin();
    await first.decided(id, 'allow');
    for (const url of [first.token, metadata.token_endpoint]) {
      const form = { grant_type: CIBA, auth_req_id: id, ...(await first.proof(first.token)) };
      const seen = await suite.post(url, form);
      const fits = [400, 401].includes(seen.status) && one(seen, 'invalid_client', 'invalid_request', 'invalid_grant');
      check('a token request without a certificate', fits, seen.body);
    }
    await first.tokens(id);
  });
  if (first.auth === 'mtls') await mutualTls(suite, first, second);
  else await privateKeyJwt(suite, first);
  if (first.mode === 'ping') await pings(first);
}

async function mutualTls(suite, first, second) {
  await module('different-client-id-and-issuer', async () => {
    const seen = await second.authorize({}, { request: await first.sign(first.claims()) });
    check('another client_id than the issuer', [400, 401].includes(seen.status) && one(seen, 'invalid_client', 'invalid_request'), seen.body);
    const named = await first.authorize({}, { proof: { client_id: second.id } });
    check('the client_id of another certificate', named.status === 401 && one(named, 'invalid_client'), named.body);
  });
  await module('a certificate that anybody can make', async () => {
    // Of the registered name, but signed by itself; of the registered key's owner, but another one.
    const forged = certify('forged', { ec: true, cn: first.name });
    const form = { request: await first.sign(first.claims()), client_id: first.id };
    for (const as of [forged, undefined]) {
      const seen = await suite.post(first.bc, form, as);
      check('refused', seen.status === 401 && one(seen, 'invalid_client'), seen.body);
      const told = as ? /^(tls_client_auth: the certificate does not chain|self_signed_tls_client_auth: the certificate is not)/ : /^no client authentication/;
      check('why', told.test(seen.body.error_description), seen.body);
      check('the trace says so too', (await suite.trace(seen.body.error_description)).includes('bc-authorize'), seen.body);
    }
  });
  await module('wrong-client-id-in-backchannel-endpoint', async () => {
    const seen = await first.authorize({}, { proof: { client_id: 'wrong' } });
    check('wrong client_id', seen.status === 401 && one(seen, 'invalid_client'), seen.body);
  });
  await module('wrong-client-id-in-token-endpoint', async () => {
    const { auth_req_id: id } = await first.begin();
    for (const client_id of ['wrong', second.id]) {
      const seen = await first.poll(id, { proof: { client_id } });
      check('wrong client_id', [400, 401].includes(seen.status) && one(seen, 'invalid_client'), seen.body);
    }
    await first.clear(id);
  });
}

async function privateKeyJwt(suite, first) {
  const { metadata } = suite;
  const unauthorized = (what, seen) => check(what, [400, 401].includes(seen.status) && one(seen, 'invalid_client'), seen.body);
  await module('without-client-assertion', async () => {
    unauthorized('at the backchannel endpoint', await first.authorize({}, { proof: { client_id: first.id } }));
    const { auth_req_id: id } = await first.begin();
    unauthorized('at the token endpoint', await first.poll(id, { proof: { client_id: first.id } }));
    await first.clear(id);
  });
  await module('client-assertion-RS256', async () => {
    const proof = await first.proof(metadata.issuer, { alg: 'RS256' });
    unauthorized('at the backchannel endpoint', await first.authorize({}, { proof }));
    const { auth_req_id: id } = await first.begin({}, { aud: metadata.backchannel_authentication_endpoint });
    unauthorized('at the token endpoint', await first.poll(id, { options: { alg: 'RS256' } }));
    await first.clear(id);
  });
  await module('client-assertion-audience-issuer-at-token-endpoint', async () => {
    const { auth_req_id: id } = await first.begin();
    const seen = await first.poll(id, { aud: metadata.issuer });
    check('aud = issuer', one(seen, 'authorization_pending'), seen.body);
    await first.clear(id);
  });
}

async function pings(client) {
  const { receiver } = client;
  const answers = {
    'ping-401': { status: 401 }, 'ping-403': { status: 403 }, 'ping-401-no-retry': { status: 401 },
    'ping-200-with-body': { status: 200, body: '{"anything":true}' }, 'ping-301-not-followed': { status: 301, headers: { location: '/elsewhere' } },
  };
  for (const [name, answer] of Object.entries(answers)) {
    await module(name, async () => {
      receiver.answer = answer;
      const { auth_req_id: id } = await client.begin();
      await client.decided(id, 'allow');
      await client.suite.advance(60);
      receiver.answer = { status: 204 };
      check('neither repeated nor followed', receiver.arrived.length === 0, receiver.arrived);
      await client.tokens(id);
    });
  }
}

// Dynamic registration as the plan does it.
async function register(suite, about) {
  const members = {
    grant_types: [CIBA, 'refresh_token'], response_types: [],
    ...(about.jwksUri ? { jwks_uri: about.jwksUri } : { jwks: { keys: [jwkOf(about.name)] } }),
    backchannel_token_delivery_mode: about.mode, backchannel_user_code_parameter: false,
    backchannel_authentication_request_signing_alg: about.alg, id_token_signed_response_alg: about.idTokenAlg,
    tls_client_certificate_bound_access_tokens: true,
    ...(about.mode === 'ping' && { backchannel_client_notification_endpoint: about.receiver.url }),
    ...(about.auth === 'mtls' ? { token_endpoint_auth_method: 'self_signed_tls_client_auth' }
      : { token_endpoint_auth_method: 'private_key_jwt', token_endpoint_auth_signing_alg: about.alg }),
  };
  const { status, headers, body } = await suite.call('POST', suite.metadata.registration_endpoint,
    { headers: { 'content-type': 'application/json' }, body: JSON.stringify(members) });
  check('registered', status === 201 && headers['content-type'].startsWith('application/json') && body.client_id, body);
  check('management', Boolean(body.registration_client_uri) && Boolean(body.registration_access_token), body);
  return new Client(suite, { ...about, id: body.client_id, registration: body });
}

async function unregister(suite, { registration }) {
  const headers = { authorization: `Bearer ${registration.registration_access_token}` };
  const gone = await suite.call('DELETE', registration.registration_client_uri, { headers });
  check('deleted', gone.status === 204, gone.body);
}

const VARIANTS = ['private_key_jwt', 'mtls'].flatMap((auth) => ['poll', 'ping'].map((mode) => ({ auth, mode })));

// The two clients of each variant, for the world file.
function staticClients(receiver) {
  const toml = (value) => (typeof value === 'object' && !Array.isArray(value)
    ? `{ ${Object.entries(value).map(([name, inner]) => `${name} = ${toml(inner)}`).join(', ')} }`
    : Array.isArray(value) ? `[${value.map(toml).join(', ')}]` : JSON.stringify(value));
  const described = VARIANTS.flatMap(({ auth, mode }) => ['ca1', 'ca2'].map((name) => {
    const alg = auth === 'mtls' ? 'ES256' : 'PS256';
    const key = auth === 'mtls' ? `${name}-ec` : name;
    return { name: key, id: `${auth}-${mode}-${name}`, auth, mode, alg, idTokenAlg: alg, receiver };
  }));
  const text = described.map(({ name, id, auth, mode, alg, idTokenAlg }) => `
[[client]]
id = "${id}"
name = "Suite"
mode = "${mode}"
${mode === 'ping' ? `notification_endpoint = "${receiver.url}"` : ''}
[client.metadata]
token_endpoint_auth_method = "${auth === 'mtls' ? 'tls_client_auth' : auth}"
${auth === 'mtls' ? `tls_client_auth_subject_dn = "CN=${name},O=midsim TEST ONLY"` : `token_endpoint_auth_signing_alg = "${alg}"`}
backchannel_authentication_request_signing_alg = "${alg}"
id_token_signed_response_alg = "${idTokenAlg}"
jwks = ${toml({ keys: [jwkOf(name, alg)] })}
`).join('');
  return { described, text };
}

// Beyond the plan: what the push of the MODRNA profile, a stranger's certificate and a server that is not believed lead to.
async function notifications(world, receiver, stranger) {
  const text = `${readFileSync(world, 'utf8').replace('id = "push"\n', `id = "push"\nnotification_endpoint = "${receiver.url}"\n`)
    .replace('id = "ping"\n', `id = "ping"\nnotification_endpoint = "${stranger.url}"\n`)}`;
  const file = join(folder, 'modrna.toml');
  writeFileSync(file, text);
  const suite = await Suite.start(file, []);
  try {
    const begin = async (client) => {
      const headers = { authorization: `Basic ${Buffer.from(`${client}:${client}-secret`).toString('base64')}`,
        'content-type': 'application/x-www-form-urlencoded' };
      const form = { scope: 'openid', acr_values: 'mod-mf', login_hint: USER, client_notification_token: 'token-of-the-suite-0123' };
      const seen = await suite.call('POST', suite.metadata.backchannel_authentication_endpoint,
        { headers, body: new URLSearchParams(form).toString() });
      check('acknowledged', seen.status === 200, seen.body);
      await suite.decide(seen.body.auth_req_id, 'allow');
      const poll = () => suite.call('POST', suite.metadata.token_endpoint,
        { headers, body: new URLSearchParams({ grant_type: CIBA, auth_req_id: seen.body.auth_req_id }).toString() });
      return { id: seen.body.auth_req_id, poll };
    };
    await module('push to an https endpoint', async () => {
      const { id } = await begin('push');
      const { headers, body } = await receiver.next();
      check('bearer token', headers.authorization === 'Bearer token-of-the-suite-0123', headers);
      check('auth_req_id', body.auth_req_id === id, body);
      const { payload } = await jose.jwtVerify(body.id_token, suite.keys,
        { issuer: suite.metadata.issuer, audience: 'push', currentDate: new Date(suite.now * 1000) });
      check('auth_req_id in the id_token', payload[`${CLAIM}auth_req_id`] === id, payload);
    });
    await module('keys at a jwks_uri', async () => {
      const keep = (...names) => [receiver, stranger].forEach((server) => { server.keys = names.map((name) => jwkOf(name, 'PS256')); });
      const at = (server) => register(suite, { auth: 'private_key_jwt', mode: 'poll', alg: 'PS256', idTokenAlg: 'PS256', name: 'self1',
        jwksUri: server.url.replace('/cb', '/jwks.json') });
      const client = await at(receiver);
      keep('self1');
      await client.flow({ acr_values: 'mod-mf' });
      await client.flow({ acr_values: 'mod-mf' });
      check('fetched once', receiver.fetched === 1, receiver.fetched);
      // The client goes over to another key.
      const next = new Client(suite, { ...client, name: 'self2' });
      keep('self2', 'self1');
      const early = await next.authorize({ acr_values: 'mod-mf' });
      check('not fetched again at once', early.status === 401 && receiver.fetched === 1, early.body);
      await suite.advance(30);
      await next.flow({ acr_values: 'mod-mf' });
      await client.flow({ acr_values: 'mod-mf' });
      check('fetched twice', receiver.fetched === 2, receiver.fetched);
      const unknown = await (await at(stranger)).authorize({ acr_values: 'mod-mf' });
      check('a server that is not believed', unknown.status === 401 && !stranger.fetched, unknown.body);
    });
    await module('an endpoint with a certificate of nobody known', async () => {
      const { id, poll } = await begin('ping');
      await suite.advance(3);
      const trace = await suite.trace(id);
      check('the trace says why', /unreachable: [^"]*certificate/i.test(trace) && trace.includes('again in 2 s'), trace.slice(-3000));
      check('nothing was told', stranger.arrived.length === 0, stranger.arrived);
      const seen = await poll();
      check('the tokens can be fetched all the same', seen.status === 200, seen.body);
    });
  } finally {
    await suite.stop();
  }
}

try {
  for (const ca of ['clients', 'servers']) certify(ca);
  for (const name of ['ca1', 'ca2']) {
    certify(name, { by: 'clients' });
    certify(`${name}-ec`, { by: 'clients', ec: true });
  }
  for (const name of ['self1', 'self2']) certify(name);
  const receiver = await Receiver.start(certify('localhost', { by: 'servers', san: 'DNS:localhost' }));
  const stranger = await Receiver.start(certify('stranger', { san: 'DNS:localhost' }));
  const { described, text } = staticClients(receiver);
  const world = join(folder, 'world.toml');
  writeFileSync(world, readFileSync(worldFile, 'utf8') + text);
  const suite = await Suite.start(world, ['--op-profile', 'fapi-ciba', '--op-refresh-tokens']);
  try {
    await module('discovery-end-point-verification', () => discovery(suite));
    for (const { auth, mode } of VARIANTS) {
      const [first, second] = described.filter((about) => about.auth === auth && about.mode === mode).map((about) => new Client(suite, about));
      const before = modules;
      await plan(suite, first, second);
      console.log(`${auth}, ${mode}, clients of the world: ${modules - before} modules`);
      const about = { auth, mode, alg: 'PS256', idTokenAlg: 'PS256', receiver };
      const [third, fourth] = [await register(suite, { ...about, name: 'self1' }), await register(suite, { ...about, name: 'self2' })];
      await plan(suite, third, fourth);
      for (const client of [third, fourth]) await unregister(suite, client);
      console.log(`${auth}, ${mode}, clients that registered themselves: the same`);
    }
  } finally {
    await suite.stop();
  }
  await notifications(worldFile, receiver, stranger);
  receiver.close();
  stranger.close();
  console.log(`PASS: ${modules} modules, ${checks} checks`);
} finally {
  rmSync(folder, { recursive: true });
}
