pub fn run(_: &crate::args::DataArgs) -> anyhow::Result<()> { anyhow::bail!("tbd") }
