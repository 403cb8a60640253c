/** Jira: an issue for each group, found again by a label of its key, updated, closed by the last message and perhaps opened again. */
import type { Channel, Sent } from "../channel.ts";
import type { JiraConfig } from "../config/config.ts";
import type { Message } from "../message.ts";
import { type ChatView, chatText, fitting, PLAIN } from "./chat.ts";
import { answerJson, type Call, httpChannel, json, type Posted } from "./http-channel.ts";
import { MAX_JIRA_ANSWER_BYTES, MAX_JIRA_CHARACTERS, MAX_JIRA_SUMMARY_CHARACTERS } from "./limits.ts";
import type { ChannelOptions } from "./options.ts";
import type { Answer } from "./post.ts";
import { reasonOf } from "./reason.ts";
import { beginning, below, incidentKey } from "./texts.ts";

const PRIORITIES: Readonly<Record<string, string>> = {
  critical: "High",
  high: "High",
  medium: "Medium",
  warning: "Medium",
  low: "Low",
  info: "Low",
};

/** In milliseconds: the search of Jira's cloud finds a new issue some seconds after it was made. */
export const SEARCH_LAG_MS = 30_000;

/** Whatever else is answered as a key stands in no address and in no reason. */
const KEY = /^[A-Z][A-Z0-9_]*-\d+$/i;

interface Issue {
  readonly key: string;
  readonly isDone: boolean;
}

export function jira(config: JiraConfig, options: ChannelOptions): Channel {
  /** Messages for which an issue may have been made, whatever became of the call. */
  const begun = new WeakSet<Message>();
  const converse = async (posted: Posted, call: Call): Promise<Sent> => {
    const isOver = posted.message.status === "resolved";
    const found = await call(search(posted, config));
    if (found.sent.kind !== "ok") return notOfTexts(found.sent);
    const issues = issuesOf(found.answer);
    // A page of a log-in or a proxy: that there is no issue would be a guess, and another one be made each time.
    if (issues === undefined) return failed("the answer to the search for the issue is none of Jira's", posted);
    const [issue] = issues;
    // Nobody has to look into what began and ended without an issue.
    if (issue === undefined && isOver) return { kind: "ok" };
    const { url, message } = posted;
    const where = issue === undefined ? { address: below(url, "issue") } : issuePlace(url, issue);
    if (issue === undefined) begun.add(message);
    const written = await call({ ...where, body: json(fieldsOf(posted, config, issue !== undefined)) });
    if (written.sent.kind !== "ok" || issue === undefined) return written.sent;
    const transition = isOver ? config.resolveTransition : config.reopenTransition;
    if (transition === undefined || issue.isDone === isOver) return written.sent;
    return notOfTexts(await moved(issue, transition, { posted, call }));
  };
  // Names of transitions are those of the language that is asked for.
  const headers = { "accept-language": "en" };
  const channel = httpChannel({ kind: "jira", what: "Jira", headers, converse }, config, options);
  return {
    ...channel,
    async send(message, signal) {
      const sent = await channel.send(message, signal);
      if (sent.kind !== "retry" || !begun.has(message)) return sent;
      // Sooner, the issue might not be found, and be made twice.
      return { ...sent, afterMs: Math.max(sent.afterMs ?? 0, SEARCH_LAG_MS) };
    },
  };
}

function issuePlace(url: string, { key }: Issue) {
  return { address: below(url, `issue/${encodeURIComponent(key)}`), method: "PUT" } as const;
}

/** Jira's cloud searches by another address than a server of one's own, which is only of its version 3. */
function search({ url, message }: Posted, config: JiraConfig) {
  const { project, apiType, reopenTransition, reopenDurationMs = 0, wontFixResolution } = config;
  const reopens = message.status === "firing" && reopenTransition !== undefined && reopenDurationMs > 0;
  const minutes = Math.ceil(reopenDurationMs / 60_000);
  const jql = [
    ...(wontFixResolution ? [`(resolution is EMPTY OR resolution != ${JSON.stringify(wontFixResolution)})`] : []),
    reopens ? `(resolutiondate is EMPTY OR resolutiondate >= -${minutes}m)` : "statusCategory != Done",
    `project = ${JSON.stringify(project)}`,
    `labels = ${JSON.stringify(labelOf(message))}`,
  ].join(" AND ");
  const isCloud = apiType === "cloud" || (apiType === "auto" && new URL(url).hostname.endsWith(".atlassian.net"));
  const address = isCloud ? below(url, "search/jql").replace("/rest/api/2/", "/rest/api/3/") : below(url, "search");
  const wanted = { jql: `${jql} ORDER BY status ASC, resolutiondate DESC`, maxResults: 2, fields: ["status"] };
  return { address, body: json(wanted), maxAnswerBytes: MAX_JIRA_ANSWER_BYTES };
}

/** The same as Alertmanager's in form. */
function labelOf(message: Posted["message"]): string {
  return `ALERT{${incidentKey(message)}}`;
}

/** Undefined where it is no answer to a search. */
function issuesOf(answer: Answer): readonly Issue[] | undefined {
  const issues = answerJson(answer)?.issues;
  if (!Array.isArray(issues)) return undefined;
  const known = issues.flatMap((issue: JiraIssue | null) => issueOf(issue) ?? []);
  return known.length === issues.length ? known : undefined;
}

function issueOf(issue: JiraIssue | null): Issue | undefined {
  const key = issue?.key;
  if (typeof key !== "string" || !KEY.test(key)) return undefined;
  return { key, isDone: issue?.fields?.status?.statusCategory?.key === "done" };
}

/** As far as it is what Jira answers. */
interface JiraIssue {
  readonly key?: unknown;
  readonly fields?: { readonly status?: { readonly statusCategory?: { readonly key?: unknown } | null } | null } | null;
}

interface JiraTransition {
  readonly id?: unknown;
  readonly name?: unknown;
}

function fieldsOf({ url, message }: Posted, config: JiraConfig, isUpdate: boolean) {
  const { project, issueType, summary, description, labels, priority, fields } = config;
  const view = fitting(
    message,
    (each) => each,
    (each) => chatText(each, PLAIN).length <= MAX_JIRA_CHARACTERS,
  );
  const isWritten = ({ update }: { readonly update: boolean }) => update || !isUpdate;
  const text = beginning(description.text ?? chatText(view, PLAIN), MAX_JIRA_CHARACTERS);
  const name = priority ?? PRIORITIES[worstOf(view)] ?? "";
  return {
    fields: {
      ...(fields === undefined ? {} : (JSON.parse(fields) as object)),
      project: { key: project },
      issuetype: { name: issueType },
      ...(isWritten(summary) && { summary: beginning(summary.text || view.subject, MAX_JIRA_SUMMARY_CHARACTERS) }),
      ...(isWritten(description) && { description: /\/3\/*$/.test(new URL(url).pathname) ? documentOf(text) : text }),
      ...(isWritten(labels) && { labels: [...labels.values.filter(Boolean), labelOf(message)].sort() }),
      ...(name !== "" && { priority: { name } }),
    },
  };
}

/** Also where all is over: an issue keeps its priority. */
function worstOf({ alerts: [worst], severity }: ChatView): string {
  return severity === "resolved" ? "" : severity || (worst?.severity ?? "");
}

/** Version 3 takes documents (ADF): one of the configuration, or the text's lines as paragraphs. */
function documentOf(text: string): object {
  const own = answerJson({ text } as Answer);
  if (own?.type === "doc") return own;
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const paragraph = (line: string) => ({ type: "paragraph", content: [{ type: "text", text: line }] });
  return { type: "doc", version: 1, content: lines.map(paragraph) };
}

async function moved(
  { key }: Issue,
  name: string,
  { posted, call }: { readonly posted: Posted; readonly call: Call },
): Promise<Sent> {
  const address = below(posted.url, `issue/${encodeURIComponent(key)}/transitions`);
  const asked = await call({ address, method: "GET", maxAnswerBytes: MAX_JIRA_ANSWER_BYTES });
  if (asked.sent.kind !== "ok") return asked.sent;
  const transitions = answerJson(asked.answer)?.transitions;
  const known: readonly (JiraTransition | null)[] = Array.isArray(transitions) ? transitions : [];
  const found = known.find((each) => each?.name === name);
  if (typeof found?.id !== "string") return failed(`the issue ${key} has no transition of that name`, posted);
  return (await call({ address, body: json({ transition: { id: found.id } }) })).sent;
}

function failed(reason: string, { secrets }: Posted): Sent {
  return { kind: "failed", reason: reasonOf(reason, secrets.known), isNotOfTexts: true };
}

/** Other texts would change nothing of it. */
function notOfTexts(sent: Sent): Sent {
  return sent.kind === "failed" ? { ...sent, isNotOfTexts: true } : sent;
}
