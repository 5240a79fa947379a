//! What a plan refuses, and what it says.

use steepest::{Dataset, Inputs, Plan, Recipe, Targets, Warmup};

fn data(targets: Targets) -> Dataset {
    let n = targets.n_samples();
    Dataset::new(Inputs::F64((0..n * 2).map(|i| i as f64).collect()), 2, Some(targets)).unwrap()
}

fn classes() -> Dataset {
    data(Targets::Classes {
        labels: vec![0, 1, 2, 0, 1, 2, 0, 1, 2, 0],
        names: ["a", "b", "c"].map(String::from).into(),
    })
}

fn values(row: [f64; 2]) -> Dataset {
    data(Targets::Values { values: row.repeat(10), n_outputs: 2 })
}

fn plan(text: &str, data: &Dataset) -> Result<Plan, String> {
    Plan::new(Recipe::parse(text, &[]).unwrap(), data).map_err(|e| e.to_string())
}

#[track_caller]
fn refuses(text: &str, data: &Dataset, says: &[&str]) {
    let message = plan(text, data).expect_err(text);
    assert!(says.iter().all(|part| message.contains(part)), "{message}\ndoes not say all of {says:?}");
}

#[test]
fn patience_needs_something_to_wait_for() {
    let data = classes();
    refuses("[training]\npatience = 0", &data, &["training.patience is 0", "1 or more"]);
    refuses(
        "[training]\npatience = 3\n[data]\nval_split = 0",
        &data,
        &["no rows are held out", "--val-split"],
    );
    // A tenth of four rows is none.
    refuses("[training]\npatience = 3", &data.rows(0..4).unwrap(), &["no rows are held out"]);
    plan("[training]\npatience = 3", &data).unwrap();
    plan("[training]\npatience = 3\n[data]\nval_split = 0\nvalidation = \"other.csv\"", &data).unwrap();
}

#[test]
fn numbers_must_be_finite() {
    let data = classes();
    for x in ["inf", "nan", "0.0"] {
        refuses(&format!("[quirks]\ndelta_scale = {x}"), &data, &["quirks.delta_scale is", "other than 0"]);
    }
    for init in ["constant = inf", "uniform = nan", "normal = -inf"] {
        for key in ["weights", "biases"] {
            let text = format!("[network]\n{key} = {{ {init} }}");
            refuses(&text, &data, &[&format!("network.{key}"), "finite"]);
        }
    }
    plan("[quirks]\ndelta_scale = -1.0\n[network]\nbiases = { constant = 0.0 }", &data).unwrap();
}

#[test]
fn quirks_that_would_change_nothing_are_refused() {
    let numbers = values([1.5, -2.0]);
    for quirk in ["softmax_shift = \"batch\"", "softmax_axis = \"batch\"", "delta_rule = \"diagonal\""] {
        let key = quirk.split_once(' ').unwrap().0;
        refuses(
            &format!("[quirks]\n{quirk}"),
            &numbers,
            &[&format!("quirks.{key}"), "\"identity\"", "--textbook"],
        );
        let text = format!("[network]\noutput = \"sigmoid\"\n[quirks]\n{quirk}");
        refuses(&text, &classes(), &["\"sigmoid\""]);
        plan(&format!("[quirks]\n{quirk}"), &classes()).unwrap();
    }
    let text = "[network]\nbias = false\n[quirks]\nbias_gradient = \"summed\"";
    refuses(text, &classes(), &["quirks.bias_gradient", "network.bias"]);
    // The textbook's own values change nothing anywhere.
    plan("[quirks]\nsoftmax_shift = \"sample\"\ndelta_rule = \"gradient\"", &numbers).unwrap();
    plan("[network]\nbias = false\n[quirks]\nbias_gradient = \"per-unit\"", &classes()).unwrap();
    // This one may be left without effect: flags that switch the split off combine with any recipe.
    plan("[data]\nshuffle = false\nval_split = 0\n[quirks]\nsplit_shuffle = \"overwrite\"", &classes())
        .unwrap();
}

#[test]
fn batch_normalisation_needs_hidden_layers_and_batches() {
    let data = classes();
    let text = |more: &str| format!("[network]\nbatch_norm = true\n{more}");
    refuses(&text("hidden = []"), &data, &["network.batch_norm", "network.hidden is []"]);
    refuses(&text("[training]\nbatch_size = 1"), &data, &["two rows or more", "--batch-size"]);
    refuses(&text("[data]\nval_split = 9"), &data, &["two rows or more"]);
    for quirk in ["softmax_shift = \"batch\"", "softmax_axis = \"batch\"", "bias_gradient = \"summed\""] {
        let key = quirk.split_once(' ').unwrap().0;
        refuses(&text(&format!("[quirks]\n{quirk}")), &data, &[key, "network.batch_norm", "--textbook"]);
    }
    let plan_of =
        plan(&text("bias = false\n[quirks]\nsoftmax_shift = \"none\"\ndelta_scale = 2.0"), &data).unwrap();
    // 2 x 128 weights, shifts and scales; 128 x 3 weights without biases.
    assert_eq!(plan_of.network.n_parameters(), 2 * 128 + 2 * 128 + 128 * 3);
}

#[test]
fn dropout_is_a_part_and_noise_a_deviation() {
    let data = classes();
    for x in ["-0.1", "1.0", "nan"] {
        refuses(&format!("[network]\ndropout = {x}"), &data, &["network.dropout is", "below 1"]);
    }
    for x in ["-0.1", "inf", "nan"] {
        refuses(&format!("[data]\nnoise = {x}"), &data, &["data.noise is", "from 0 on"]);
    }
    refuses("[network]\nhidden = []\ndropout = 0.1", &data, &["network.dropout", "network.hidden is []"]);
    let plan_of = plan("[network]\ndropout = 0.5\n[data]\nnoise = 0.25", &data).unwrap();
    assert_eq!(Recipe::parse(&plan_of.recipe.to_toml(), &[]).unwrap(), plan_of.recipe);
    // Recipes without these keys, and so the models that hold them, are as before.
    let plain = plan("", &data).unwrap().recipe.to_toml();
    assert!(["noise", "dropout", "batch_norm"].iter().all(|key| !plain.contains(key)), "{plain}");
}

#[test]
fn targets_of_softmax_are_parts_that_sum_to_one() {
    let softmax = "[network]\noutput = \"softmax\"";
    refuses(softmax, &values([0.5, 0.2]), &["row 0", "sum to 0.7", "sigmoid", "identity"]);
    refuses(softmax, &values([1.0, 1.0]), &["sum to 2"]);
    refuses(softmax, &values([1.5, -0.5]), &["0 to 1"]);
    let plan_of = plan(softmax, &values([0.3, 0.7000005])).unwrap();
    plan("[network]\noutput = \"sigmoid\"", &values([1.0, 1.0])).unwrap();
    // Other data sets of a run must fit in the same way.
    let message = plan_of.check_fits(&values([0.5, 0.2]), "the test set").unwrap_err().to_string();
    assert!(message.contains("the test set: row 0"), "{message}");
    plan_of.check_fits(&values([0.5, 0.5]), "the test set").unwrap();
}

#[test]
fn only_images_of_bytes_are_deformed_and_only_so_far() {
    let labels = Targets::Classes { labels: vec![0, 1, 0, 1], names: ["a", "b"].map(String::from).into() };
    let bytes = Dataset::new(Inputs::Bytes(vec![7; 4 * 6 * 8].into()), 48, Some(labels.clone())).unwrap();
    let images = bytes.clone().with_image(6, 8);
    let text = |key: &str, value: &str| {
        format!("[augment]\nrotation = 10\n{key} = {value}").replacen(
            "rotation = 10\nrotation",
            "rotation",
            1,
        )
    };
    plan("[augment]\nrotation = 10", &images).unwrap();
    refuses(
        "[augment]\nrotation = 10",
        &bytes,
        &["[augment]", "48 bytes", "not known to be images", "leave"],
    );
    let decimals =
        Dataset::new(Inputs::F32(vec![0.5; 4 * 48].into()), 48, Some(labels)).unwrap().with_image(6, 8);
    refuses("[augment]\nelastic = 1.0", &decimals, &["48 decimals", "images of bytes"]);
    for (key, wrong, says) in [
        ("shift", ["-1", "nan", "6"], "below 6 pixels"),
        ("rotation", ["-0.5", "inf", "360"], "below 360 degrees"),
        ("scale", ["-0.1", "nan", "1"], "below 1"),
        ("shear", ["-0.1", "inf", "1.5"], "below 1"),
        ("elastic", ["-1", "nan", "100"], "below 6 pixels"),
        ("elastic_sigma", ["0", "0.99", "inf"], "1 or more"),
    ] {
        for value in wrong {
            refuses(&text(key, value), &images, &[&format!("augment.{key} is"), says]);
        }
    }
    // Off is off, whatever the data.
    plan("[augment]\nrotation = 0.0\nelastic_sigma = 9", &decimals).unwrap();
}

#[test]
fn only_single_precision_is_rounded() {
    let text = "precision = \"f64\"\n[training]\nproducts = \"bf16\"";
    refuses(text, &classes(), &["training.products", "precision is \"f64\"", "leave one"]);
    let toml = |text: &str| Recipe::parse(text, &[]).unwrap().to_toml();
    assert!(
        !toml("").contains("products")
            && toml("[training]\nproducts = \"bf16\"").contains("products = \"bf16\"")
    );
}

#[test]
fn an_average_forgets_a_part_each_step() {
    for ema in ["0.0", "1.0", "-0.5", "nan", "1.5"] {
        refuses(&format!("[training]\nema = {ema}"), &classes(), &["training.ema is", "above 0 and below 1"]);
    }
    let plan = plan("[training]\nema = 0.999", &classes()).unwrap();
    let decay = |step| plan.training.mean_decay(step);
    assert_eq!(
        [decay(1), decay(10), decay(8990), decay(1_000_000)],
        [2.0 / 11.0, 11.0 / 20.0, 8991.0 / 9000.0, 0.999]
    );
}

#[test]
fn labels_are_smoothed_for_softmax_on_classes_only() {
    let smooth = "[training]\nlabel_smoothing = 0.1";
    for x in ["-0.1", "1.0", "nan"] {
        let text = format!("[training]\nlabel_smoothing = {x}");
        refuses(&text, &classes(), &["training.label_smoothing is", "below 1"]);
    }
    refuses(smooth, &values([1.5, -2.0]), &["softmax on classes", "\"identity\"", "the targets are numbers"]);
    let sigmoid = format!("[network]\noutput = \"sigmoid\"\n{smooth}");
    refuses(&sigmoid, &classes(), &["softmax on classes", "\"sigmoid\""]);
    let softmax = format!("[network]\noutput = \"softmax\"\n{smooth}");
    refuses(&softmax, &values([0.3, 0.7]), &["softmax on classes", "the targets are numbers"]);
    for quirk in ["softmax_axis = \"batch\"", "delta_rule = \"diagonal\""] {
        refuses(&format!("{smooth}\n[quirks]\n{quirk}"), &classes(), &["label_smoothing", "--textbook"]);
    }
    plan(smooth, &classes()).unwrap();
    plan("[training]\nlabel_smoothing = 0.0", &values([1.5, -2.0])).unwrap();
}

#[test]
fn losses_fit_their_targets() {
    let loss = |name: &str| format!("[network]\nloss = \"{name}\"");
    refuses(
        &loss("mae"),
        &classes(),
        &["network.loss", "\"identity\"", "\"softmax\"", "leave network.loss out"],
    );
    refuses(&loss("poisson"), &values([1.5, -2.0]), &["target -2", "poisson", "counts"]);
    for x in ["0.0", "-1.0", "nan", "inf"] {
        let text = format!("{}\nhuber_delta = {x}", loss("huber"));
        refuses(&text, &values([1.5, -2.0]), &["network.huber_delta is", "above 0"]);
    }
    let counts = plan(&loss("poisson"), &values([0.0, 2.0])).unwrap();
    let message = counts.check_fits(&values([1.0, -3.0]), "the test set").unwrap_err().to_string();
    assert!(message.contains("the test set: there is a target -3"), "{message}");
    let message = Recipe::parse(&loss("mse"), &[]).unwrap_err().to_string();
    assert!(message.contains("`squared`, `mae`, `huber`, `poisson`"), "{message}");
}

#[test]
fn gradients_have_a_length_to_keep_to() {
    for x in ["0.0", "-1.0", "nan"] {
        refuses(&format!("[training]\nclip_norm = {x}"), &classes(), &["training.clip_norm is", "above 0"]);
    }
    plan("[training]\nclip_norm = 1", &classes()).unwrap();
}

#[test]
fn schedules_are_checked_and_completed() {
    let refuses = |text: &str, says: &[&str]| refuses(&format!("[training]\n{text}"), &classes(), says);
    refuses("warmup = 1.5", &["training.warmup is 1.5", "from 0 to 1"]);
    refuses("warmup = 0.1\nwarmup_epochs = 1", &["training.warmup_epochs", "exclude each other"]);
    refuses("div_factor = 0", &["training.div_factor is 0", "more than 0"]);
    refuses("final_div_factor = inf", &["training.final_div_factor is inf"]);
    refuses("lr_patience = 0", &["training.lr_patience is 0", "1 or more"]);
    refuses("power_t = -1", &["training.power_t is -1"]);
    refuses("tol = nan", &["training.tol is NaN"]);
    refuses("alpha = 1.0", &["training.alpha is 1", "below 1"]);
    let warmup = |text: &str| {
        let plan = plan(&format!("[training]\n{text}"), &classes()).unwrap();
        (plan.training.schedule.warmup, plan.recipe.training.warmup)
    };
    assert_eq!(warmup("schedule = \"one-cycle\""), (Warmup::Part(0.3), Some(0.3)));
    assert_eq!(warmup("schedule = \"one-cycle\"\nwarmup = 0.2"), (Warmup::Part(0.2), Some(0.2)));
    assert_eq!(warmup("schedule = \"one-cycle\"\nwarmup_epochs = 2"), (Warmup::Epochs(2.0), None));
    assert_eq!(warmup("schedule = \"cosine\""), (Warmup::Epochs(0.0), None));
}

#[test]
fn class_weights_are_for_the_classes_there_are() {
    let refuses = |weight: &str, data: &Dataset, says: &[&str]| {
        refuses(&format!("[training]\nclass_weight = {weight}"), data, says);
    };
    refuses("\"balanced\"", &values([1.5, -2.0]), &["training.class_weight is for classes"]);
    refuses("[1, 2]", &classes(), &["has 2 weights", "3 classes", "a, b, c"]);
    refuses("{ a = 1, x = 2 }", &classes(), &["`x`, which is no class", "a, b, c"]);
    refuses("[1, -2, 1]", &classes(), &["from 0 on"]);
    refuses("[0, 0, 0]", &classes(), &["some above 0"]);
    for wrong in ["\"even\"", "3", "[\"a\"]", "{ a = \"b\" }"] {
        let text = format!("[training]\nclass_weight = {wrong}");
        Recipe::parse(&text, &[]).expect_err(&text);
    }
    let message = Recipe::parse("[training]\nclass_weight = \"even\"", &[]).unwrap_err().to_string();
    assert!(message.contains("balanced") && message.contains("line 2"), "{message}");
}

#[test]
fn numbers_that_are_not_finite_are_named_by_row_and_column() {
    let data = |x: f32, y: f64| {
        let inputs = Inputs::F32(vec![0.0, 1.0, 2.0, 3.0, x, 5.0].into());
        Dataset::new(inputs, 2, Some(Targets::Values { values: vec![0.5, 0.25, y], n_outputs: 1 })).unwrap()
    };
    let plan = |data: &Dataset| Plan::new(Recipe::parse("[data]\nval_split = 0", &[]).unwrap(), data);
    let refusal = |data: &Dataset| plan(data).unwrap_err().to_string();
    assert!(refusal(&data(f32::NAN, 1.0)).contains("row 2, column 0: the input is NaN"));
    assert!(refusal(&data(4.0, f64::INFINITY)).contains("row 2, column 0: the target is inf"));
    let plan = plan(&data(4.0, 1.0)).unwrap();
    let message = plan.check_fits(&data(f32::NEG_INFINITY, 1.0), "the test set").unwrap_err().to_string();
    assert!(message.contains("the test set: row 2, column 0: the input is -inf"), "{message}");
}
