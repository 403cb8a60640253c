/** A real browser on the console, which notes everything that goes wrong on its pages. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { ensureConsole } from "../scripts/console.mjs";
import { program } from "./programs.ts";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** Nothing that runs in a page looks elsewhere. */
const ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"];

/** The console is built first where its sources have changed. */
export function launchBrowser(): Promise<Browser> {
  ensureConsole();
  return chromium.launch({
    executablePath: program("chromium")!,
    args: [...ARGS, "--disable-component-update", "--disable-sync"],
  });
}

export interface Watched {
  readonly context: BrowserContext;
  readonly page: Page;
  /** Errors, warnings, violations of the content security policy, and requests to other origins, so far. */
  readonly wrong: readonly string[];
}

/** @param origin of the platform; what goes elsewhere is wrong  @param expected patterns of what is meant to be on the console */
export async function openPage(
  browser: Browser,
  origin: string,
  { scheme = "light", expected = [] }: { scheme?: "light" | "dark"; expected?: readonly RegExp[] } = {},
): Promise<Watched> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: scheme });
  // A machine that does other things beside it paints late; shorter than a test may take, so that what is missing is named.
  context.setDefaultTimeout(90_000);
  const page = await context.newPage();
  const wrong: string[] = [];
  const note = (text: string) => void (expected.some((pattern) => pattern.test(text)) || wrong.push(text));
  page.on("pageerror", (error) => note(error.stack ?? error.message));
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") note(`${message.text()} ${message.location().url}`);
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(origin) && !/^(?:data|blob):/.test(request.url())) note(`asked for ${request.url()}`);
  });
  return { context, page, wrong };
}

/** Signs in on the page that asks for a token, whichever address it was asked for. */
export async function signIn(page: Page, token: string): Promise<void> {
  await page.getByLabel("Token").fill(token);
  await page.keyboard.press("Enter");
  await page.getByRole("navigation").first().waitFor();
}

/** Screens that people have: a desk, and a phone. */
export const SCREENS = [
  { width: 1440, height: 900 },
  { width: 390, height: 844 },
] as const;

/** What is wrong with how the page fits on the screen: nothing may need to be scrolled sideways. */
export async function misfitsOf(page: Page): Promise<string[]> {
  const [width, screen] = (await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")) as number[];
  return width! > screen! ? [`${width} pixels wide on a screen of ${screen}`] : [];
}

interface Finding {
  readonly id: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
}

/**
 * What axe finds on the page as it is: rules of WCAG 2.2 up to AA, and best practices.
 *
 * @param rules only these; absent: all
 */
export async function findingsOf(page: Page, rules?: readonly string[]): Promise<string[]> {
  // Not by a script element: the page's content security policy forbids it, as it should.
  await page.evaluate(AXE);
  const only = rules === undefined ? {} : { runOnly: { type: "rule", values: rules } };
  const options = JSON.stringify({ resultTypes: ["violations"], ...only });
  const { violations } = (await page.evaluate(`axe.run(document, ${options})`)) as { violations: Finding[] };
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary ?? ""}`),
  );
}
