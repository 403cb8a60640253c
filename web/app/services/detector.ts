import { DetectorService } from "../../../gen/web/telltale/v1/detector_pb.ts";
import { client } from "../transport.ts";

export const detectorApi = client(DetectorService);
