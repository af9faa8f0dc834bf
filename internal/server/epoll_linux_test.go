package server_test

import (
	"testing"

	"spate/internal/server/servertest"
)

func TestEpollDriver(t *testing.T) {
	servertest.Run(t, servertest.Carrier{})
}
