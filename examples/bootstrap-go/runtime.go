package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// Invocation is one event with its headers.
type Invocation struct {
	RequestID string
	Deadline  time.Time
	Header    http.Header
	Event     []byte
}

type failure struct {
	Message string   `json:"errorMessage"`
	Type    string   `json:"errorType"`
	Trace   []string `json:"stackTrace,omitempty"`
}

var api = "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime"

// No timeout, because the next event may be hours away.
var client = &http.Client{}

// run handles one event after another until the environment ends. Errors and panics of the handler are reported, and the
// process continues. https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html
func run(handle func(*Invocation) ([]byte, error)) {
	for {
		invocation, err := next()
		if err != nil {
			fmt.Fprintln(os.Stderr, "bootstrap:", err)
			os.Exit(1)
		}
		os.Setenv("_X_AMZN_TRACE_ID", invocation.Header.Get("Lambda-Runtime-Trace-Id"))
		result, failed := call(handle, invocation)
		path := "/invocation/" + invocation.RequestID
		if failed != nil {
			body, _ := json.Marshal(failed)
			err = post(path+"/error", failed.Type, body)
		} else {
			err = post(path+"/response", "", result)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "bootstrap:", err)
			os.Exit(1)
		}
	}
}

func call(handle func(*Invocation) ([]byte, error), invocation *Invocation) (result []byte, failed *failure) {
	defer func() {
		if panicked := recover(); panicked != nil {
			trace := strings.Split(string(debug.Stack()), "\n")
			fmt.Fprintf(os.Stderr, "panic: %v\n%s\n", panicked, strings.Join(trace, "\n"))
			result, failed = nil, &failure{fmt.Sprint(panicked), "Function.Panicked", trace}
		}
	}()
	result, err := handle(invocation)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return nil, &failure{err.Error(), "Function.Failed", nil}
	}
	return result, nil
}

func next() (*Invocation, error) {
	response, err := client.Get(api + "/invocation/next")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	event, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET next: %s %s", response.Status, event)
	}
	deadline, _ := strconv.ParseInt(response.Header.Get("Lambda-Runtime-Deadline-Ms"), 10, 64)
	return &Invocation{
		RequestID: response.Header.Get("Lambda-Runtime-Aws-Request-Id"),
		Deadline:  time.UnixMilli(deadline),
		Header:    response.Header,
		Event:     event,
	}, nil
}

// post sends a result or failure. A refusal (response too large, or too late) affects only this invocation.
func post(path, errorType string, body []byte) error {
	request, err := http.NewRequest(http.MethodPost, api+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	if errorType != "" {
		request.Header.Set("Lambda-Runtime-Function-Error-Type", errorType)
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	reason, _ := io.ReadAll(response.Body)
	if response.StatusCode >= 300 {
		fmt.Fprintf(os.Stderr, "bootstrap: POST %s: %s %s", path, response.Status, reason)
	}
	return nil
}
