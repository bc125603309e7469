// Encrypts a text as the old hub did, with Node's own functions and none of ours: the words' PBKDF2
// as hexadecimal text, then OpenSSL's salted AES-256-CBC with MD5.
import { createCipheriv, createHash, pbkdf2Sync, randomBytes } from 'node:crypto';

const [key, did, ...texts] = process.argv.slice(2);
const passphrase = Buffer.from(pbkdf2Sync(key, did, 256, 32, 'sha512').toString('hex'));
for (const text of texts) {
  const salt = randomBytes(8);
  let block = Buffer.alloc(0);
  let derived = Buffer.alloc(0);
  while (derived.length < 48) {
    block = createHash('md5').update(Buffer.concat([block, passphrase, salt])).digest();
    derived = Buffer.concat([derived, block]);
  }
  const cipher = createCipheriv('aes-256-cbc', derived.subarray(0, 32), derived.subarray(32, 48));
  const sealed = Buffer.concat([Buffer.from('Salted__'), salt, cipher.update(text), cipher.final()]);
  console.log(sealed.toString('base64'));
}
