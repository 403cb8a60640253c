import { expect, test } from "vitest";
import { AddressGuard } from "./channels/addresses.ts";
import { parseNotifyConfig } from "./config/parse.ts";
import { missing } from "./missing.ts";

const NAMES: Readonly<Record<string, string>> = { "hooks.plant": "10.1.2.3", "hooks.example": "93.184.216.34" };
const addresses = (allowed: readonly string[] = []) =>
  new AddressGuard(allowed, (host, done) => {
    const address = NAMES[host];
    if (address === undefined) done(Object.assign(new Error("unknown"), { code: "ENOTFOUND" }), []);
    else done(null, [{ address, family: 4 }]);
  });

test("what a file names that is not there or may not be called is said by its place, before a message fails for it", async () => {
  const parsed = parseNotifyConfig(`route: {receiver: a}
receivers:
  - name: a
    webhook_configs:
      - url: http://127.0.0.1:9000/
      - url: https://hooks.plant/a
      - url: https://hooks.example/a
      - url: https://known-elsewhere/a
      - url: \${HOOK}
      - url_file: /nowhere/url
        http_config: {http_headers: {Referer: {values: ['http://127.0.0.1'], secrets: ['https://']}}}`);
  const references = "references" in parsed ? parsed.references : [];
  const said = async (allowed: readonly string[]) =>
    (await missing(references, { environment: {}, addresses: addresses(allowed) })).map(
      (p) => `${p.line} ${p.message}`,
    );
  const secrets = [
    expect.stringMatching(/^9 .*HOOK.*set it for the platform/),
    expect.stringMatching(/^10 .*\/nowhere\/url/),
  ];
  expect(await said([])).toEqual([
    "5 messages cannot be sent: 127.0.0.1 is a loopback address: if messages may go there, add 127.0.0.1 to NOTIFY_ALLOWED_HOSTS, and start the platform again.",
    "6 messages cannot be sent: hooks.plant is at 10.1.2.3, which is a private address: if messages may go there, add hooks.plant to NOTIFY_ALLOWED_HOSTS, and start the platform again.",
    ...secrets,
  ]);
  expect(await said(["127.0.0.0/8", "hooks.plant"])).toEqual(secrets);
});
