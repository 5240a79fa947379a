pub fn run(_: &crate::args::PredictArgs) -> anyhow::Result<()> { anyhow::bail!("tbd") }
