/** What the gateway at the address answers to the operation, as a client reads it. */
export async function askGraphql(http: string, query: string, variables: object = {}) {
  const body = JSON.stringify({ query, variables });
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${http}/api/v1/graphql`, { method: "POST", headers, body });
  return (await response.json()) as { data: Record<string, never>; errors?: { message: string }[] };
}
