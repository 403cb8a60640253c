/** A connection to what administrators ask, for one command. */
import { createClient } from "@connectrpc/connect";
import { connect } from "../client/transport.ts";
import { AdminService } from "../gen/es/telltale/v1/admin_pb.ts";
import { credentials, type ServerOptions } from "./server.ts";

export async function asAdmin(
  options: ServerOptions,
  call: (admin: ReturnType<typeof createClient<typeof AdminService>>) => Promise<void>,
): Promise<void> {
  const connection = connect(credentials(options));
  try {
    await call(createClient(AdminService, connection.transport));
  } finally {
    connection.close();
  }
}
