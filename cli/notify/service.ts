import { type Client, createClient } from "@connectrpc/connect";
import { connect } from "../../client/transport.ts";
import { NotificationService } from "../../gen/es/telltale/v1/notification_pb.ts";
import { credentials, type ServerOptions } from "../server.ts";

export type Notifications = Client<typeof NotificationService>;

/** Acts on the notifications of a running platform. */
export async function withNotifications(
  options: ServerOptions,
  act: (notifications: Notifications) => Promise<void>,
): Promise<void> {
  const connection = connect(credentials(options));
  try {
    await act(createClient(NotificationService, connection.transport));
  } finally {
    connection.close();
  }
}
