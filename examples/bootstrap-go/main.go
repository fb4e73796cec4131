// A Lambda runtime in Go, of the standard library alone. function.go is the handler.
package main

func main() {
	run(handle)
}
