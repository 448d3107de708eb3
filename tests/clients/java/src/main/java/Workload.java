import com.github.dockerjava.api.DockerClient;
import com.github.dockerjava.api.async.ResultCallback;
import com.github.dockerjava.api.command.WaitContainerResultCallback;
import com.github.dockerjava.api.exception.ConflictException;
import com.github.dockerjava.api.exception.NotFoundException;
import com.github.dockerjava.api.exception.NotModifiedException;
import com.github.dockerjava.api.model.Frame;
import java.io.InputStream;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import org.testcontainers.DockerClientFactory;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.containers.wait.strategy.Wait;
import org.testcontainers.images.builder.Transferable;

/** docker-java, as testcontainers carries it, and testcontainers-java itself. */
public class Workload {
    static void same(String what, Object got, Object want) {
        if (!want.equals(got)) {
            throw new AssertionError(what + ": " + got + ", expected " + want);
        }
    }

    static void client() throws Exception {
        DockerClient docker = DockerClientFactory.lazyClient();
        docker.pullImageCmd("busybox").withTag("latest").start().awaitCompletion();
        String id = docker.createContainerCmd("busybox").withName("java-1")
            .withCmd("sh", "-c", "echo out; trap 'exit 3' TERM; while :; do sleep 0.1; done").exec().getId();
        docker.startContainerCmd(id).exec();
        try {
            docker.startContainerCmd(id).exec();
            throw new AssertionError("a second start");
        } catch (NotModifiedException expected) {
            same("state", docker.inspectContainerCmd(id).exec().getState().getRunning(), true);
        }
        docker.stopContainerCmd(id).exec();
        same("exit code", docker.waitContainerCmd(id).exec(new WaitContainerResultCallback()).awaitStatusCode(), 3);
        StringBuilder text = new StringBuilder();
        docker.logContainerCmd(id).withStdOut(true).withStdErr(true).withFollowStream(true)
            .exec(new ResultCallback.Adapter<Frame>() {
                @Override
                public void onNext(Frame frame) {
                    text.append(new String(frame.getPayload(), StandardCharsets.UTF_8));
                }
            }).awaitCompletion();
        same("logs", text.toString(), "out\n");
        try {
            docker.createContainerCmd("busybox").withName("java-1").exec();
            throw new AssertionError("a name twice");
        } catch (ConflictException expected) {
            docker.removeContainerCmd(id).exec();
        }
        try {
            docker.inspectContainerCmd("java-1").exec();
            throw new AssertionError("inspect after remove");
        } catch (NotFoundException expected) {
            same("list", docker.listContainersCmd().withShowAll(true).exec().size(), 0);
        }
    }

    static void testcontainers() throws Exception {
        int port = Integer.parseInt(System.getenv("PORT"));
        try (GenericContainer<?> c = new GenericContainer<>("busybox:latest")
                .withCommand("sh", "-c", "cat /tmp/early; echo page > /tmp/index.html; echo ready; httpd -f -p " + port + " -h /tmp")
                .withCopyToContainer(Transferable.of("before the start\n"), "/tmp/early")
                .withExposedPorts(port)
                .waitingFor(Wait.forListeningPort())) {
            c.start();
            same("exec", c.execInContainer("sh", "-c", "echo in; exit 4").getExitCode(), 4);
            c.copyFileToContainer(Transferable.of("later"), "/tmp/later");
            same("copied", c.execInContainer("cat", "/tmp/later").getStdout(), "later");
            same("back", c.copyFileFromContainer("/tmp/early", s -> new String(s.readAllBytes(), StandardCharsets.UTF_8)),
                "before the start\n");
            try (InputStream page = new URL("http://127.0.0.1:" + c.getMappedPort(port) + "/index.html").openStream()) {
                same("page", new String(page.readAllBytes(), StandardCharsets.UTF_8), "page\n");
            }
            same("log", c.getLogs().contains("before the start"), true);
        }
    }

    public static void main(String[] args) throws Exception {
        client();
        testcontainers();
        System.out.println("all steps");
        System.exit(0);
    }
}
