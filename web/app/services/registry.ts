import { RegistryService } from "../../../gen/web/telltale/v1/registry_pb.ts";
import { client } from "../transport.ts";

export const registryApi = client(RegistryService);
