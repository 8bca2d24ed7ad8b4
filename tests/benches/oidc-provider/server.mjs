// npm oidc-provider as a CIBA OP that approves every request at once: in memory, without TLS, ES256 id_tokens.
// Prints {"op": URL} when it listens. The first argument is the public JWK of the client `jwt`.
import { createServer } from 'node:http';
import { generateKeyPairSync } from 'node:crypto';
import Provider from 'oidc-provider';

// Its notices must not get into what our parent reads, and stops reading.
console.log = console.error;
console.info = console.error;
const GRANT = 'urn:openid:params:grant-type:ciba';
const server = createServer();
await new Promise((listening) => { server.listen(0, '127.0.0.1', listening); });
const issuer = `http://127.0.0.1:${server.address().port}`;

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const signing = { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'ES256', kid: 'bench' };
const common = {
  grant_types: [GRANT],
  response_types: [],
  redirect_uris: [],
  id_token_signed_response_alg: 'ES256',
  backchannel_token_delivery_mode: 'poll',
};
const clients = [
  {
    ...common, client_id: 'poll', client_secret: 'poll-secret', token_endpoint_auth_method: 'client_secret_basic',
  },
];
if (process.argv[2]) {
  clients.push({
    ...common,
    client_id: 'jwt',
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'ES256',
    jwks: { keys: [JSON.parse(process.argv[2])] },
  });
}

const provider = new Provider(issuer, {
  clients,
  jwks: { keys: [signing] },
  acrValues: ['mod-mf', 'mod-pr'],
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  features: {
    devInteractions: { enabled: false },
    ciba: {
      enabled: true,
      deliveryModes: ['poll'],
      processLoginHint: (ctx, hint) => hint,
      validateBindingMessage() {},
      validateRequestContext() {},
      verifyUserCode() {},
      // Before bc-authorize is answered: the first token request finds the outcome.
      async triggerAuthenticationDevice(ctx, request, account, client) {
        const grant = new provider.Grant({ accountId: account.accountId, clientId: client.clientId });
        grant.addOIDCScope(request.scope);
        await grant.save();
        await provider.backchannelResult(request, grant, { acr: 'mod-mf' });
      },
    },
  },
});
server.on('request', provider.callback());
process.stdout.write(`${JSON.stringify({ op: issuer })}\n`);
