package main

import (
	"encoding/json"
	"errors"
)

// handle greets the name in the event.
func handle(invocation *Invocation) ([]byte, error) {
	var event struct {
		Name string `json:"name"`
	}
	if err := json.Unmarshal(invocation.Event, &event); err != nil {
		return nil, err
	}
	if event.Name == "" {
		return nil, errors.New("the event has no name")
	}
	return json.Marshal(map[string]string{"greeting": "Hello, " + event.Name + "!"})
}
