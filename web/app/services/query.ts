import { QueryService } from "../../../gen/web/telltale/v1/query_pb.ts";
import { client } from "../transport.ts";

export const queryApi = client(QueryService);
