/** A connection to the registry of sensors, for the length of one command. */
import { type Client, createClient } from "@connectrpc/connect";
import { connect } from "../../client/transport.ts";
import { RegistryService } from "../../gen/es/telltale/v1/registry_pb.ts";
import { credentials, type ServerOptions } from "../server.ts";

export type Registry = Client<typeof RegistryService>;

export async function withRegistry(options: ServerOptions, act: (registry: Registry) => Promise<void>): Promise<void> {
  const connection = connect(credentials(options));
  try {
    await act(createClient(RegistryService, connection.transport));
  } finally {
    connection.close();
  }
}
