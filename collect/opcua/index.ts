import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../server/clock.ts";
import type { Collector } from "../source.ts";
import { browseServer, configText, sensorsText } from "./browse.ts";
import { openEndpoint, readOpcuaConfig, readServer } from "./config.ts";
import { loadOpcua } from "./library.ts";
import { opcuaSource, sampleOpcua } from "./source.ts";

/** @throws ConfigFault */
export async function opcuaCollector(file: string, text: string): Promise<Collector> {
  const settings = readOpcuaConfig(file, text);
  const opcua = await loadOpcua();
  return {
    settings,
    secrets: [process.env.OPCUA_PASSWORD],
    open: (parts) => opcuaSource(opcua, settings, parts),
    sample: () => sampleOpcua(opcua, settings, () => systemClock.nowUs()),
  };
}

export interface BrowseOptions {
  readonly root?: string;
  readonly format: "config" | "sensors";
}

/**
 * @param config a configuration, or the address of a server without security
 * @returns YAML
 */
export async function browseOpcua(
  config: { readonly file: string; readonly text: string } | { readonly address: string },
  { root, format }: BrowseOptions,
): Promise<string> {
  const certificates = await mkdtemp(join(tmpdir(), "telltale-opcua-"));
  try {
    const endpoint =
      "address" in config ? openEndpoint(config.address, certificates) : readServer(config.file, config.text);
    const variables = await browseServer(await loadOpcua(), endpoint, root);
    if (variables.length === 0) throw new Error("The server has no variable with a number there.");
    return format === "config" ? configText(endpoint, variables) : sensorsText(variables);
  } finally {
    await rm(certificates, { recursive: true });
  }
}
