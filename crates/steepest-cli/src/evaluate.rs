pub fn run(_: &crate::args::EvaluateArgs) -> anyhow::Result<()> { anyhow::bail!("tbd") }
