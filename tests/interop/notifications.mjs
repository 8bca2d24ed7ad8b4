#!/usr/bin/env node
// Ping and push as a client's own endpoint sees them: an HTTP server of Node's receives them, jose checks the id_token.
//   node notifications.mjs MIDSIM WORLD_FILE      (run where jose is installed)
// Exit status 0 only when everything was as CIBA Core 1.0 section 10 has it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [midsim, worldFile] = process.argv.slice(2);
const jose = await import(pathToFileURL(createRequire(join(process.cwd(), 'x.js')).resolve('jose')).href);
const USER = '+447700900002';
const GRANT = 'urn:openid:params:grant-type:ciba';
const CLAIM = 'urn:openid:params:jwt:claim:';

// What arrived, by path: `/ping` and `/push` are the endpoints of the two clients.
const arrived = { '/ping': [], '/push': [] };
let wake = () => {};
const server = createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request) body += chunk;
  arrived[request.url]?.push({ method: request.method, headers: request.headers, body: JSON.parse(body) });
  response.writeHead(204).end();
  wake();
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const endpoint = `http://127.0.0.1:${server.address().port}`;

const folder = mkdtempSync(join(tmpdir(), 'midsim-notifications-'));
const world = join(folder, 'world.toml');
writeFileSync(world, readFileSync(worldFile, 'utf8').replace(/^mode = "(ping|push)"$/gm,
  (line, mode) => `${line}\nnotification_endpoint = "${endpoint}/${mode}"`));
const up = spawn(midsim, ['up', '--json', '--no-human', '--port-base', '0', '--world', world], { stdio: ['ignore', 'pipe', 'inherit'] });

try {
  const { op } = await new Promise((resolve, reject) => {
    let text = '';
    up.stdout.on('data', (data) => { text += data; if (text.includes('\n')) resolve(JSON.parse(text)); });
    up.on('exit', (code) => reject(new Error(`midsim up ended with ${code}`)));
  });
  const discovery = await (await fetch(`${op}/.well-known/openid-configuration`)).json();
  const keys = jose.createRemoteJWKSet(new URL(discovery.jwks_uri));
  await push(discovery, keys);
  await ping(discovery, keys);
} finally {
  up.kill('SIGTERM');
  server.close();
  rmSync(folder, { recursive: true });
}

async function push(discovery, keys) {
  const asked = await authorize(discovery, 'push');
  const { headers, body } = await next('/push');
  assert.equal(headers.authorization, `Bearer ${asked.token}`);
  assert.match(headers['content-type'], /^application\/json/);
  assert.equal(body.auth_req_id, asked.auth_req_id);
  assert.equal(body.token_type.toLowerCase(), 'bearer');
  const claims = await verified(body.id_token, discovery, keys, 'push');
  assert.equal(claims[`${CLAIM}auth_req_id`], asked.auth_req_id);
  assert.equal(claims.at_hash, half(body.access_token));
  if (body.refresh_token) assert.equal(claims[`${CLAIM}rt_hash`], half(body.refresh_token));
  const answer = await token(discovery, 'push', asked.auth_req_id);
  assert.equal(answer.body.error, 'unauthorized_client', 'a push client must not use the token endpoint');
  const userinfo = await fetch(discovery.userinfo_endpoint, { headers: { authorization: `Bearer ${body.access_token}` } });
  assert.equal((await userinfo.json()).phone_number, USER);
  console.log(`push: tokens came with the client's bearer token; id_token, at_hash and auth_req_id verified (acr ${claims.acr})`);
}

async function ping(discovery, keys) {
  const asked = await authorize(discovery, 'ping');
  const { headers, body } = await next('/ping');
  assert.equal(headers.authorization, `Bearer ${asked.token}`);
  assert.deepEqual(body, { auth_req_id: asked.auth_req_id });
  const first = await token(discovery, 'ping', asked.auth_req_id);
  assert.equal(first.status, 200, JSON.stringify(first.body));
  const claims = await verified(first.body.id_token, discovery, keys, 'ping');
  const second = await token(discovery, 'ping', asked.auth_req_id);
  assert.deepEqual([second.status, second.body.error], [400, 'invalid_grant']);
  console.log(`ping: told once, tokens fetched once (acr ${claims.acr}), a second time refused`);
}

async function post(url, client, form) {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${client}:${client}-secret`).toString('base64')}` },
    body: new URLSearchParams(form),
  });
  return { status: answer.status, body: await answer.json() };
}

async function authorize(discovery, client) {
  const notification = randomBytes(24).toString('base64url');
  const { status, body } = await post(discovery.backchannel_authentication_endpoint, client, {
    scope: 'openid phone', acr_values: 'mod-mf', login_hint: USER, client_notification_token: notification,
  });
  assert.equal(status, 200, JSON.stringify(body));
  return { ...body, token: notification };
}

function token(discovery, client, id) {
  return post(discovery.token_endpoint, client, { grant_type: GRANT, auth_req_id: id });
}

async function next(path) {
  const late = setTimeout(() => { throw new Error(`nothing arrived at ${path} within 30 s`); }, 30_000);
  while (arrived[path].length === 0) await new Promise((resolve) => { wake = resolve; });
  clearTimeout(late);
  assert.equal(arrived[path].length, 1);
  return arrived[path][0];
}

async function verified(idToken, discovery, keys, client) {
  const { payload } = await jose.jwtVerify(idToken, keys, { issuer: discovery.issuer, audience: client, algorithms: ['ES256'] });
  assert.equal(payload.acr, 'mod-mf');
  assert.ok(payload.auth_time <= payload.iat);
  return payload;
}

// Left half of SHA-256, as OpenID Connect Core 3.1.3.6 has it for at_hash with ES256.
function half(value) {
  return createHash('sha256').update(value, 'ascii').digest().subarray(0, 16).toString('base64url');
}
