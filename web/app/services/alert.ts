import { AlertService } from "../../../gen/web/telltale/v1/alert_pb.ts";
import { client } from "../transport.ts";

export const alertApi = client(AlertService);
