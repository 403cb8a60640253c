/**
 * A GraphQL client (urql): stores readings by mutations, gets the alert by a subscription over graphql-ws, and closes it.
 *
 * TELLTALE_HTTP=http://127.0.0.1:8000 node examples/graphql/urql.ts [sensor-id]
 */
import { Client, fetchExchange, gql, subscriptionExchange } from "@urql/core";
import { createClient as createSocketClient } from "graphql-ws";
import { WebSocket } from "ws";

const sensorId = process.argv[2] ?? "example-urql";
const url = `${process.env.TELLTALE_HTTP ?? "http://127.0.0.1:8000"}/api/v1/graphql`;

const socket = createSocketClient({ url: url.replace(/^http/, "ws"), webSocketImpl: WebSocket });
const client = new Client({
  url,
  preferGetMethod: false,
  exchanges: [
    fetchExchange,
    subscriptionExchange({
      forwardSubscription: ({ query, variables }) => ({
        subscribe: (sink) => ({
          unsubscribe: socket.subscribe(
            { query: query ?? "", variables },
            { ...sink, next: (result) => sink.next(result as never) },
          ),
        }),
      }),
    }),
  ],
});

const SUBMIT = gql`
  mutation ($sensorId: String!, $value: Float!) {
    submitSensorData(sensorId: $sensorId, sensorType: "temperature", value: $value, unit: "C") { id isAnomaly }
  }
`;

async function submit(value: number): Promise<void> {
  const { error } = await client.mutation(SUBMIT, { sensorId, value });
  if (error !== undefined) throw error;
}

const alert = Promise.withResolvers<{ id: number; message: string }>();
const subscription = client
  .subscription(gql`subscription ($sensorId: String) { anomalyAlertStream(sensorId: $sensorId) { id message } }`, {
    sensorId,
  })
  .subscribe(({ data, error }) => {
    if (error !== undefined) alert.reject(error);
    else if (data) alert.resolve(data.anomalyAlertStream);
  });

// A pong after a subscription says that it is in place.
const opened = Promise.withResolvers<WebSocket>();
socket.on("opened", (open) => opened.resolve(open as WebSocket));
const inPlace = new Promise<void>((resolve) => socket.on("pong", () => resolve()));
(await opened.promise).send(JSON.stringify({ type: "ping" }));
await inPlace;

for (let i = 0; i < 48; i++) await submit(20 + 0.1 * Math.sin(i * 2.4));
await submit(30);
const { id, message } = await alert.promise;
console.log(`alert: ${message}`);
const resolved = await client.mutation(gql`mutation ($id: SafeInt!) { resolveAlert(alertId: $id) }`, { id });
console.log(`resolved: ${resolved.data?.resolveAlert}`);
subscription.unsubscribe();
await socket.dispose();
