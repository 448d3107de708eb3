// The Go client and testcontainers-go, each a workload of its own: clients client | clients testcontainers.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
	"github.com/docker/docker/errdefs"
	"github.com/docker/docker/pkg/stdcopy"
	"github.com/docker/go-connections/nat"
	"github.com/testcontainers/testcontainers-go"
	tcexec "github.com/testcontainers/testcontainers-go/exec"
	"github.com/testcontainers/testcontainers-go/wait"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func same(what string, got, want any) {
	if fmt.Sprint(got) != fmt.Sprint(want) {
		panic(fmt.Sprintf("%s: %v, expected %v", what, got, want))
	}
}

func goClient(ctx context.Context) {
	cli, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	must(err)
	defer cli.Close()
	info, err := cli.Info(ctx)
	must(err)
	same("OSType", info.OSType, "linux")
	pull, err := cli.ImagePull(ctx, "busybox", image.PullOptions{})
	must(err)
	decoder := json.NewDecoder(pull)
	for {
		var line struct{ Error, Status string }
		if err := decoder.Decode(&line); err == io.EOF {
			break
		} else {
			must(err)
		}
		same("pull", line.Error, "")
	}
	watch, cancel := context.WithCancel(ctx)
	defer cancel()
	told, _ := cli.Events(watch, events.ListOptions{Filters: filters.NewArgs(filters.Arg("label", "lang=go"))})
	net, err := cli.NetworkCreate(ctx, "net-go", network.CreateOptions{})
	must(err)
	_, err = cli.VolumeCreate(ctx, volume.CreateOptions{Name: "vol-go"})
	must(err)
	made, err := cli.ContainerCreate(ctx, &container.Config{Image: "busybox", Labels: map[string]string{"lang": "go"},
		Cmd:       []string{"sh", "-c", "read line; echo out $line; echo err >&2; exit 3"},
		OpenStdin: true, StdinOnce: true, AttachStdin: true, AttachStdout: true, AttachStderr: true},
		&container.HostConfig{Binds: []string{"vol-go:/data"}},
		&network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{"net-go": {Aliases: []string{"al"}}}},
		nil, "go-1")
	must(err)
	attached, err := cli.ContainerAttach(ctx, made.ID, container.AttachOptions{Stream: true, Stdin: true, Stdout: true, Stderr: true})
	must(err)
	done, failed := cli.ContainerWait(ctx, made.ID, container.WaitConditionNextExit)
	must(cli.ContainerStart(ctx, made.ID, container.StartOptions{}))
	_, err = attached.Conn.Write([]byte("typed\n"))
	must(err)
	must(attached.CloseWrite())
	var out, errs bytes.Buffer
	_, err = stdcopy.StdCopy(&out, &errs, attached.Reader)
	must(err)
	same("stdout", out.String(), "out typed\n")
	same("stderr", errs.String(), "err\n")
	select {
	case r := <-done:
		same("exit code", r.StatusCode, 3)
	case err := <-failed:
		panic(err)
	}
	var seen []string
	for len(seen) == 0 || seen[len(seen)-1] != "die" {
		if e := <-told; e.Action != "attach" {
			seen = append(seen, string(e.Action))
		}
	}
	same("events", seen, []string{"create", "start", "die"})
	shown, err := cli.ContainerInspect(ctx, made.ID)
	must(err)
	same("state", shown.State.Status, "exited")
	same("mount", shown.Mounts[0].Name, "vol-go")
	logs, err := cli.ContainerLogs(ctx, made.ID, container.LogsOptions{ShowStdout: true, ShowStderr: true})
	must(err)
	out.Reset()
	_, err = stdcopy.StdCopy(&out, io.Discard, logs)
	must(err)
	same("logs", out.String(), "out typed\n")
	_, err = cli.ContainerCreate(ctx, &container.Config{Image: "busybox"}, nil, nil, nil, "go-1")
	same("conflict", errdefs.IsConflict(err), true)
	_, err = cli.ContainerInspect(ctx, "nothing-here")
	same("not found", errdefs.IsNotFound(err), true)
	must(cli.ContainerRemove(ctx, made.ID, container.RemoveOptions{Force: true, RemoveVolumes: true}))
	must(cli.NetworkRemove(ctx, net.ID))
	must(cli.VolumeRemove(ctx, "vol-go", false))
	_, err = cli.NetworkList(ctx, network.ListOptions{})
	must(err)
	_, err = cli.ImageInspect(ctx, "busybox")
	must(err)
	_, err = cli.ServerVersion(ctx)
	must(err)
}

func testContainers(ctx context.Context) {
	port := os.Getenv("PORT") + "/tcp"
	c, err := testcontainers.GenericContainer(ctx, testcontainers.GenericContainerRequest{Started: true,
		ContainerRequest: testcontainers.ContainerRequest{
			Image:        "busybox:latest",
			Cmd:          []string{"sh", "-c", "cat /tmp/early; echo page > /tmp/index.html; echo ready; httpd -f -p $PORT -h /tmp"},
			Env:          map[string]string{"PORT": os.Getenv("PORT")},
			ExposedPorts: []string{port},
			Files: []testcontainers.ContainerFile{{Reader: strings.NewReader("before the start\n"),
				ContainerFilePath: "/tmp/early", FileMode: 0o644}},
			WaitingFor: wait.ForAll(wait.ForLog("ready"), wait.ForListeningPort(nat.Port(port)),
				wait.ForHTTP("/").WithPort(nat.Port(port))).WithDeadline(time.Minute),
		}})
	must(err)
	code, reader, err := c.Exec(ctx, []string{"sh", "-c", "echo from exec; exit 4"}, tcexec.Multiplexed())
	must(err)
	same("exec", code, 4)
	text, err := io.ReadAll(reader)
	must(err)
	same("exec output", string(text), "from exec\n")
	must(c.CopyToContainer(ctx, []byte("#!/bin/sh\necho later\n"), "/tmp/later", 0o755))
	code, _, err = c.Exec(ctx, []string{"/tmp/later"})
	must(err)
	same("copied script", code, 0)
	file, err := c.CopyFileFromContainer(ctx, "/tmp/early")
	must(err)
	text, err = io.ReadAll(file)
	must(err)
	same("copied back", string(text), "before the start\n")
	endpoint, err := c.PortEndpoint(ctx, nat.Port(port), "http")
	must(err)
	answer, err := http.Get(endpoint + "/index.html")
	must(err)
	text, err = io.ReadAll(answer.Body)
	must(err)
	same("page", string(text), "page\n")
	must(c.Terminate(ctx))
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	if os.Args[1] == "client" {
		goClient(ctx)
	} else {
		testContainers(ctx)
	}
	fmt.Println("all steps")
}
