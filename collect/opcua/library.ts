/** `node-opcua-client`: over a hundred packages that only this collector needs, and that are therefore optional and loaded when it runs. */
import description from "../../package.json" with { type: "json" };

/** The client, and its store of certificates, which is a package of its own. */
export interface Opcua {
  readonly client: typeof import("node-opcua-client");
  readonly certificates: typeof import("node-opcua-certificate-manager");
}

/** @throws Error that says how to install it where it is absent */
export async function loadOpcua(): Promise<Opcua> {
  try {
    const [client, certificates] = await Promise.all([
      import("node-opcua-client"),
      import("node-opcua-certificate-manager"),
    ]);
    // It writes to the standard output, which is for those who read the command's own.
    client.setLogLevel(client.LogLevel.Error);
    client.setErrorLogger(console.error);
    return { client, certificates };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error;
    const wanted = ["node-opcua-client", "node-opcua-certificate-manager"] as const;
    const names = wanted.map((name) => `${name}@${description.optionalDependencies[name]}`).join(" ");
    throw new Error(`OPC UA needs packages that are not installed: npm install ${names}`, { cause: error });
  }
}
