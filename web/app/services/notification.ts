import { NotificationService } from "../../../gen/web/telltale/v1/notification_pb.ts";
import { client } from "../transport.ts";

export const notificationApi = client(NotificationService);
