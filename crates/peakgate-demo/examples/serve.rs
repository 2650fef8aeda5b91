//! Serves until Ctrl-C: `cargo run --release -p peakgate-demo --example serve -- slow`.

use peakgate_demo::{DemoService, Mode};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mode: Mode = std::env::args()
        .nth(1)
        .as_deref()
        .unwrap_or("healthy")
        .parse()?;
    let service = DemoService::start(mode, 1)?;
    println!("{mode} on {}", service.base_url());
    tokio::signal::ctrl_c().await?;
    println!("{} requests", service.shutdown().await.total());
    Ok(())
}
