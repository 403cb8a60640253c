import type { HttpProtocol } from "../protocol.ts";
import { bulkUpload } from "./bulk/handler.ts";
import { lineProtocol } from "./influx/handler.ts";
import { otlpHttp } from "./otlp/handler.ts";
import { remoteWrite } from "./prometheus/handler.ts";

/** Ingest protocols over plain HTTP beside the contract's own calls. */
export function httpProtocols(): readonly HttpProtocol[] {
  return [remoteWrite(), otlpHttp(), ...lineProtocol(), bulkUpload()];
}
