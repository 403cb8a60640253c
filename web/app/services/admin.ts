import { AdminService } from "../../../gen/web/telltale/v1/admin_pb.ts";
import { client } from "../transport.ts";

export const adminApi = client(AdminService);
