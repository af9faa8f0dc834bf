package server_test

import (
	"testing"

	"spate/internal/server"
	"spate/internal/server/servertest"
)

func TestGoroutineDriver(t *testing.T) {
	servertest.Run(t, servertest.Carrier{Prepare: func(cfg *server.Config) { cfg.Driver = server.DriverGoroutine }})
}
