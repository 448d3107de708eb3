//! bollard: create, start, attach to logs, exec, wait, remove, and an error with its status.
use bollard::container::{Config, CreateContainerOptions, LogsOptions, RemoveContainerOptions, WaitContainerOptions};
use bollard::exec::{CreateExecOptions, StartExecResults};
use bollard::image::CreateImageOptions;
use bollard::Docker;
use futures_util::TryStreamExt;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let docker = Docker::connect_with_unix(&std::env::var("SOCKET")?, 120, bollard::API_DEFAULT_VERSION)?;
    assert_eq!(docker.version().await?.os.as_deref(), Some("linux"));
    let pull = CreateImageOptions { from_image: "busybox", tag: "latest", ..Default::default() };
    docker.create_image(Some(pull), None, None).try_collect::<Vec<_>>().await?;
    let config = Config {
        image: Some("busybox"),
        cmd: Some(vec!["sh", "-c", "echo out; trap 'exit 3' TERM; while :; do sleep 0.1; done"]),
        ..Default::default()
    };
    let name = CreateContainerOptions { name: "rust-1", platform: None };
    docker.create_container(Some(name), config.clone()).await?;
    docker.start_container::<String>("rust-1", None).await?;
    let exec = docker
        .create_exec("rust-1", CreateExecOptions {
            attach_stdout: Some(true), cmd: Some(vec!["sh", "-c", "echo from exec; exit 4"]), ..Default::default()
        })
        .await?;
    let StartExecResults::Attached { output, .. } = docker.start_exec(&exec.id, None).await? else { panic!("detached") };
    let text: String = output.try_collect::<Vec<_>>().await?.iter().map(|x| x.to_string()).collect();
    assert_eq!(text, "from exec\n");
    assert_eq!(docker.inspect_exec(&exec.id).await?.exit_code, Some(4));
    docker.stop_container("rust-1", None).await?;
    let waited = docker.wait_container("rust-1", None::<WaitContainerOptions<String>>).try_collect::<Vec<_>>().await;
    assert!(matches!(waited, Err(bollard::errors::Error::DockerContainerWaitError { code: 3, .. })), "{waited:?}");
    let logs = LogsOptions::<String> { stdout: true, follow: true, ..Default::default() };
    let text: String = docker.logs("rust-1", Some(logs)).try_collect::<Vec<_>>().await?.iter().map(|x| x.to_string()).collect();
    assert_eq!(text, "out\n");
    let name = CreateContainerOptions { name: "rust-1", platform: None };
    let taken = docker.create_container(Some(name), config).await;
    assert!(matches!(taken, Err(bollard::errors::Error::DockerResponseServerError { status_code: 409, .. })), "{taken:?}");
    docker.remove_container("rust-1", Some(RemoveContainerOptions { force: true, ..Default::default() })).await?;
    println!("all steps");
    Ok(())
}
