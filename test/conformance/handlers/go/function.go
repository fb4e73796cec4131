package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

var served int

// handle does what the cases ask for. It panics for "fail", so that a panic is seen to be survived.
func handle(invocation *Invocation) ([]byte, error) {
	served++
	var event struct {
		Do      string `json:"do"`
		Message string `json:"message"`
		Size    int    `json:"size"`
	}
	// Events that are no objects are echoed.
	_ = json.Unmarshal(invocation.Event, &event)
	switch event.Do {
	case "fail":
		panic(event.Message)
	case "size":
		return json.Marshal(strings.Repeat("x", event.Size))
	case "trace":
		return json.Marshal(os.Getenv("_X_AMZN_TRACE_ID"))
	case "count":
		return json.Marshal(served)
	case "log":
		fmt.Println("to standard output")
		fmt.Fprintln(os.Stderr, "to standard error")
		return []byte("null"), nil
	}
	return invocation.Event, nil
}
