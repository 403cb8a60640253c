import { readFile } from "node:fs/promises";
import { StartupError } from "../../errors.ts";
import { defaultModel, KernelTrunk, parseModel, type TrunkModel, type TrunkRuntime } from "../index.ts";
import { TfjsTrunk } from "./forecaster-tfjs.ts";

const RUNTIMES = ["auto", "js", "tfjs-wasm", "tfjs-node"] as const;

/**
 * The recurrent model in the runtime asked for. "auto" is the pinned kernel, the cheapest of them
 * (docs/decisions/detector-runtime.md). Throws StartupError where the model cannot be read or the runtime does not load.
 */
export async function loadForecaster(runtime: string, modelPath: string | undefined): Promise<TrunkRuntime> {
  const model = modelPath === undefined ? defaultModel : await readModel(modelPath);
  switch (runtime) {
    case "auto":
    case "js":
      return new KernelTrunk(model);
    case "tfjs-wasm":
    case "tfjs-node":
      return TfjsTrunk.load(runtime, model);
    default:
      throw new StartupError(`SCORER_RUNTIME is "${runtime}"; wanted one of ${RUNTIMES.join(", ")}`);
  }
}

/** Reads MODEL_PATH. Throws StartupError with what is wrong. */
async function readModel(path: string): Promise<TrunkModel> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new StartupError(`MODEL_PATH is "${path}", which cannot be read (${describe(cause)})`, { cause });
  }
  try {
    return parseModel(JSON.parse(text));
  } catch (cause) {
    throw new StartupError(`MODEL_PATH is "${path}", which is no model of this version: ${describe(cause)}`, { cause });
  }
}

function describe(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
