pub fn run(_: &crate::args::InspectArgs) -> anyhow::Result<()> { anyhow::bail!("tbd") }
