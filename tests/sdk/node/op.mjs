// A certified OpenID provider on a free port: prints its issuer, and serves until its standard
// input ends. People and their claims are in the file OP_PEOPLE, read anew for each sign-in.
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const key = (kind, options, more) => ({
  ...generateKeyPairSync(kind, options).privateKey.export({ format: 'jwk' }), use: 'sig', ...more,
});
const client = (id, algorithm, method) => ({
  client_id: id,
  ...(method === 'none' ? {} : { client_secret: 'op secret+canary/4711' }),
  token_endpoint_auth_method: method,
  redirect_uris: [`${process.env.OP_REDIRECT}/${id}/callback`],
  id_token_signed_response_alg: algorithm,
  response_types: ['code'],
  grant_types: ['authorization_code'],
});
const account = (context, id) => ({
  accountId: id,
  claims: async () => ({ sub: id, ...JSON.parse(readFileSync(process.env.OP_PEOPLE, 'utf8'))[id] }),
});

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [
      client('rs', 'RS256', 'client_secret_basic'),
      client('es', 'ES256', 'client_secret_post'),
      client('ed', 'EdDSA', 'none'),
    ],
    jwks: {
      keys: [
        key('rsa', { modulusLength: 2048 }, { kid: 'r', alg: 'RS256' }),
        key('ec', { namedCurve: 'P-256' }, { kid: 'c', alg: 'ES256' }),
        key('ed25519', undefined, { kid: 'e', alg: 'EdDSA' }),
      ],
    },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
    cookies: { keys: ['test'] },
    findAccount: account,
    pkce: { required: () => true, methods: ['S256'] },
  });
  server.on('request', provider.callback());
  console.log(issuer);
});
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
