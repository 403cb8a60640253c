declare module "http_ece" {
  import type { ECDH } from "node:crypto";

  interface Decryption {
    readonly version: "aes128gcm";
    readonly privateKey: ECDH;
    /** In base64url. */
    readonly authSecret: string;
  }
  const ece: { decrypt(body: Buffer, options: Decryption): Buffer };
  export default ece;
}
