// What a cluster needs beside Kubernetes itself, as one binary: `addons dns` is CoreDNS, `addons provisioner` makes and
// removes the directories behind PersistentVolumeClaims. Both run as processes beside the API server, not as pods, so that
// killing a node takes neither names nor volumes from the other one.
package main

import (
	"fmt"
	"os"

	"github.com/coredns/coredns/coremain"

	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/loadbalance"
	_ "github.com/coredns/coredns/plugin/ready"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: addons dns|provisioner [FLAGS]")
		os.Exit(2)
	}
	command := os.Args[1]
	os.Args = append(os.Args[:1], os.Args[2:]...)
	switch command {
	case "dns":
		coremain.Run()
	case "provisioner":
		if err := provision(); err != nil {
			fmt.Fprintln(os.Stderr, "provisioner:", err)
			os.Exit(1)
		}
	default:
		fmt.Fprintln(os.Stderr, "addons: no such command:", command)
		os.Exit(2)
	}
}
