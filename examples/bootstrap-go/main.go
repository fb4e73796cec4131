// A Lambda runtime in Go that uses only the standard library. function.go is the handler.
package main

func main() {
	run(handle)
}
