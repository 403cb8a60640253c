import { IncidentService } from "../../../gen/web/telltale/v1/incident_pb.ts";
import { client } from "../transport.ts";

export const incidentApi = client(IncidentService);
