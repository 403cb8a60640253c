// Go with grpc-go: streams readings of one sensor and is told of the alert that the last one raises.
//
//	npx buf generate --template buf.gen.clients.yaml
//	cd examples/go && TELLTALE_GRPC=127.0.0.1:50051 go run . [sensor-id]
package main

import (
	"context"
	"fmt"
	"log"
	"math"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	telltale "telltale.example/gen/telltale/v1"
)

func main() {
	sensor := "example-go"
	if len(os.Args) > 1 {
		sensor = os.Args[1]
	}
	address := strings.TrimPrefix(os.Getenv("TELLTALE_GRPC"), "http://")
	if address == "" {
		address = "127.0.0.1:50051"
	}
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	events, err := telltale.NewWatchServiceClient(connection).WatchAlerts(ctx, &telltale.WatchAlertsRequest{SensorId: sensor})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := events.Recv(); err != nil { // the first response says that the watch is in place
		log.Fatal(err)
	}
	if err := send(ctx, connection, sensor); err != nil {
		log.Fatal(err)
	}
	for {
		response, err := events.Recv()
		if err != nil {
			log.Fatal(err)
		}
		if response.GetEvent().GetType() == telltale.AlertEventType_ALERT_EVENT_TYPE_OPENED {
			fmt.Println("alert:", response.GetEvent().GetAlert().GetMessage())
			return
		}
	}
}

// send streams 48 steady readings and a jump, and returns when all are settled.
func send(ctx context.Context, connection *grpc.ClientConn, sensor string) error {
	stream, err := telltale.NewIngestServiceClient(connection).StreamReadings(ctx)
	if err != nil {
		return err
	}
	epoch := uint64(time.Now().UnixMilli())
	for i := range 49 {
		value := 20 + 0.1*math.Sin(float64(i)*2.4)
		if i == 48 {
			value = 30
		}
		reading := &telltale.Reading{SensorId: sensor, SensorType: "temperature", Value: &value, Unit: "C"}
		request := &telltale.StreamReadingsRequest{
			Producer: sensor, Epoch: epoch, Sequence: uint64(i + 1), Readings: []*telltale.Reading{reading},
		}
		if err := stream.Send(request); err != nil {
			return err
		}
	}
	for {
		response, err := stream.Recv()
		if err != nil {
			return err
		}
		if response.GetSettledSequence() == 49 {
			fmt.Println("49 readings settled")
			return stream.CloseSend()
		}
	}
}
