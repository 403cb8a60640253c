import { once } from "node:events";
import { createServer } from "node:net";
import { type Config, hasServices } from "../config.ts";

/**
 * Whether the addresses that this process listens on can be had, before the parts behind them take seconds to start.
 * @throws the error of `listen` (EADDRINUSE, EACCES, EADDRNOTAVAIL …) for the first that cannot
 */
export async function checkPorts(config: Config): Promise<void> {
  const { roles, bindAddress, grpcPort, httpPort } = config;
  const wanted = [...(hasServices(config) ? [grpcPort] : []), ...(roles.has("gateway") ? [httpPort] : [])];
  for (const port of wanted) {
    const probe = createServer().listen(port, bindAddress);
    await once(probe, "listening");
    const closed = once(probe, "close");
    probe.close();
    await closed;
  }
}
