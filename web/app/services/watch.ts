import { WatchService } from "../../../gen/web/telltale/v1/watch_pb.ts";
import { client } from "../transport.ts";

export const watchApi = client(WatchService);
