import { ReportService } from "../../../gen/web/telltale/v1/report_pb.ts";
import { client } from "../transport.ts";

export const reportApi = client(ReportService);
