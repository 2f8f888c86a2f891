"""The concept inventory of part I: 25 questions, each wrong choice a misconception's.

Nothing here can be answered by knowing a word. The right letter changes place without a pattern.
"""

from dlcourse.checks.core.choice import Choice, Option

rule_or_learned = Choice(
    "rule_or_learned",
    "A list of words",
    "introduction-choose",
    "A spam filter is a list of 400 words with a number each. A mail's numbers are added up; "
    "above 0 it is spam. A program found the numbers, by making few errors on 10,000 sorted "
    "mails. What is this?",
    Option(
        "Hand-written rules: anybody can read the list and follow it.",
        "One can read it, but nobody wrote it. What makes a rule hand-written is where it comes "
        "from, not whether it can be read.",
        "what_can_be_read_is_a_rule",
    ),
    Option(
        "Deep learning: it learned from many examples.",
        "Learning from examples is machine learning. Deep would be layers between words and "
        "answer, whose features are learned too.",
        "learning_from_data_is_deep",
    ),
    Option(
        "Machine learning that isn't deep.",
        "The numbers were learned, the features (which words occur) were chosen, and there is one "
        "layer.",
    ),
    Option(
        "None of these, for it doesn't improve while it is used.",
        "Most learned models stand still once they are trained. Learning took place before.",
        "learning_goes_on_in_use",
    ),
)

one_in_forty = Choice(
    "one_in_forty",
    "One image in forty",
    "introduction-judge",
    "On 40 images that neither has seen, a logistic regression is right on 34 and a deep network "
    "on 35. What do you know now about which is better on images of this kind?",
    Option(
        "Next to nothing: they differ in one image of forty.",
        "Another forty images might turn it round. Before one says which is better, one says how "
        "far chance alone would carry them.",
    ),
    Option(
        "The network is better, by 2.5 percentage points.",
        "That is the difference on these forty. Of images of this kind it says so little that its "
        "sign isn't sure.",
        "the_higher_number_is_better",
    ),
    Option(
        "The network is better, for networks are on images.",
        "Often, with many training images. Here that is what was to be found out, not what was "
        "found.",
        "networks_always_win",
    ),
    Option(
        "The logistic regression is better: it did nearly as well with far fewer weights.",
        "Fewer weights are a reason to choose it when two do equally well. They are no evidence "
        "about new images.",
        "simpler_is_truer",
    ),
)

what_helps_a_unit = Choice(
    "what_helps_a_unit",
    "One unit, four corners",
    "neurons-limits",
    "A threshold unit gets two inputs, each 0 or 1, and is to say yes exactly when they differ. "
    "It makes mistakes, however it is trained. What alone would let it make none?",
    Option(
        "more epochs, with a smaller learning rate",
        "Training looks for weights. Here there are none to be found: no line has the two corners "
        "(0, 1) and (1, 0) on one side and the others on the other.",
        "training_longer_separates",
    ),
    Option(
        "a third input, the product of the two",
        "With the weights 1, 1 and -2 and a threshold between 0 and 1 it is right on all four. A "
        "new feature bends what a line can't.",
    ),
    Option(
        "a sigmoid in place of the threshold",
        "A sigmoid makes the answer smooth. Where it crosses one half is as straight as before.",
        "a_smooth_unit_has_a_curved_boundary",
    ),
    Option(
        "other first weights",
        "Where one starts matters when there are several places to end. Here no weights at all "
        "are right.",
        "a_bad_start_is_to_blame",
    ),
)

doubled_weights = Choice(
    "doubled_weights",
    "Twice the weights",
    "neurons-compute",
    "All the weights of a logistic unit are doubled, and its bias too. What happens to its "
    "probabilities?",
    Option(
        "Nothing: only the ratio of the weights counts.",
        "For yes or no, yes. But the score that goes into the sigmoid is twice as large.",
        "only_the_ratio_counts",
    ),
    Option(
        "They double, up to 1.",
        "What doubles is the score. A sigmoid of twice the score isn't twice the sigmoid; a "
        "probability of 0.2 even falls.",
        "a_sigmoid_is_linear",
    ),
    Option(
        "The line at which they are one half moves to twice its distance from the origin.",
        "On that line the score is 0, and twice 0 is 0: it stays where it was, because the bias "
        "doubled with the weights.",
        "larger_weights_move_the_boundary",
    ),
    Option(
        "They move away from one half; the line at which they are one half stays.",
        "Every score is doubled, so every answer is surer, and 0 stays 0.",
    ),
)

restless_perceptron = Choice(
    "restless_perceptron",
    "A thousand epochs",
    "neurons-train",
    "A perceptron has gone a thousand times through its training data, and the number of mistakes "
    "in an epoch still goes up and down. What is the most likely reason?",
    Option(
        "The learning rate is too large.",
        "A perceptron that began at weights of 0 would decide the same at every rate, which scales "
        "all its weights alike.",
        "every_unrest_is_the_rate",
    ),
    Option(
        "There is a fault in the code: every update repairs the sample that it was made for.",
        "It pushes towards it, and may undo what other samples had gained. Nothing promises fewer "
        "mistakes from epoch to epoch.",
        "each_update_makes_it_better",
    ),
    Option(
        "No flat boundary separates the two classes.",
        "Then there is always a mistake left to learn from, and the weights never come to rest.",
    ),
    Option(
        "A thousand epochs are too few; it always comes to rest in the end.",
        "It does where a flat boundary separates the classes. Otherwise never.",
        "it_always_converges",
    ),
)

layers_without_bends = Choice(
    "layers_without_bends",
    "Five layers, no activation",
    "layers-activate",
    "A network of two inputs and one output has five hidden layers of 100 units each, and nothing "
    "between its layers: no activation at all. Which boundaries between two classes can it draw?",
    Option(
        "straight lines only",
        "Linear after linear is linear: the six matrices multiply to one.",
    ),
    Option(
        "gentle curves, since nothing sharp such as ReLU is in it",
        "A straight line isn't the gentle form of a curve: what is missing is every bend.",
        "linear_layers_bend_gently",
    ),
    Option(
        "any curve, given enough training: it has over 40,000 weights",
        "Many sets of weights, but each of them computes what one layer of 3 numbers could.",
        "weights_are_power",
    ),
    Option(
        "curves with up to five bends, one for each layer",
        "A layer adds a bend only if something bends: that is what an activation is for.",
        "each_layer_adds_a_bend",
    ),
)

count_weights = Choice(
    "count_weights",
    "How many numbers are learned?",
    "layers-forward",
    "A linear layer with biases takes 10 inputs to 5 units. It is trained on batches of 32. How "
    "many numbers does it learn?",
    Option(
        "15",
        "Each unit has a weight for each input: the counts multiply.",
        "one_weight_per_unit",
    ),
    Option(
        "50",
        "The weights, yes. Each unit has a bias as well.",
        "biases_are_not_learned",
    ),
    Option(
        "1,760",
        "All samples of a batch go through the same weights. None has weights of its own.",
        "each_sample_has_weights",
    ),
    Option("55", "Ten times five weights and five biases, whatever the batch."),
)

what_approximation_promises = Choice(
    "what_approximation_promises",
    "A theorem and a bad fit",
    "layers-approximate",
    "A network with one hidden layer of 1,000 ReLU units fits a continuous curve badly, even on "
    "its training points. What does the universal approximation theorem say about this?",
    Option(
        "There is a bug: the theorem says that training finds weights that fit.",
        "It says that weights exist. How to find them isn't in it.",
        "what_exists_is_found",
    ),
    Option(
        "With enough units some weights would fit; whether 1,000 are enough, and whether training "
        "finds such weights, it doesn't say.",
        "It is about what networks can express, for a number of units that it doesn't name.",
    ),
    Option(
        "The fit will be good between the training points, once it is good on them.",
        "The theorem is about a known function on a whole region. A network that sees points may "
        "do anything between them.",
        "expressive_means_it_generalises",
    ),
    Option(
        "The curve isn't continuous after all, or it would fit.",
        "A continuous curve can be missed for many reasons: too few units, too few steps, a rate "
        "that is too large.",
        "a_bad_fit_disproves_continuity",
    ),
)

squared_error_says = Choice(
    "squared_error_says",
    "Ten deliveries",
    "losses-choose",
    "Nine of ten deliveries took 1 hour, one took 11. A model knows nothing else and must say one "
    "number. Trained to the least squared error, what does it say?",
    Option(
        "1 hour",
        "The most common value, and the median: least absolute error would say so.",
        "squared_error_is_robust",
    ),
    Option("2 hours", "The mean, 20 / 10: there the sum of squared errors has its slope of 0."),
    Option(
        "6 hours",
        "Halfway between smallest and largest: that makes the *worst* error smallest. Squared "
        "error adds up all of them, and nine pull down.",
        "squared_error_takes_the_middle",
    ),
    Option(
        "nearly 11 hours",
        "The one large error counts most, but nine deliveries pull the other way.",
        "squared_error_sees_only_outliers",
    ),
)

same_accuracy_other_loss = Choice(
    "same_accuracy_other_loss",
    "As many right, three times the loss",
    "losses-choose",
    "Two models get the same 95 of 100 images right. Model A gives each answer that it chooses "
    "about 0.9; model B at least 0.99. B's mean cross-entropy is three times A's. Where does it "
    "come from?",
    Option(
        "There is a fault: with equal accuracy the losses must be about equal.",
        "Accuracy counts who is first. Cross-entropy asks how much probability the truth got.",
        "loss_counts_errors",
    ),
    Option(
        "From all 100 images: surer answers cost more.",
        "A sure answer that is right costs almost nothing: 0.01 for a probability of 0.99, "
        "against 0.11 for 0.9.",
        "being_sure_is_costly",
    ),
    Option(
        "From the 95 that are right: overfitting has made them worse.",
        "They have become better, by the loss. Surer and right is cheap.",
        "large_loss_is_everywhere",
    ),
    Option(
        "From the five on which B is sure and wrong.",
        "There the truth got less than a hundredth, perhaps a millionth. The logarithm has no "
        "limit.",
    ),
)

shifted_logits = Choice(
    "shifted_logits",
    "A thousand less",
    "losses-stable",
    "The logits of an image are 1000, 999 and 990. You subtract 1000 from all three before the "
    "softmax. What happens to the probabilities?",
    Option(
        "Nothing: they are exactly what softmax of the three means, and now they can be computed.",
        "Numerator and denominator lose the same factor, the exponential of 1000, which overflows "
        "in the first form.",
    ),
    Option(
        "They get closer to each other: small logits mean less sure answers.",
        "Softmax sees differences between logits, and these stay as they are.",
        "logits_count_by_their_size",
    ),
    Option(
        "They become slightly wrong, a price that one pays against overflow.",
        "It is an identity, not an approximation.",
        "stability_costs_accuracy",
    ),
    Option(
        "Two of them become negative.",
        "The logits do. An exponential is positive whatever its argument.",
        "negative_logits_give_negative_probabilities",
    ),
)

what_backpropagation_gives = Choice(
    "what_backpropagation_gives",
    "One pass backwards",
    "backpropagation-chain",
    "A network with a million weights has done its forward pass, and backpropagation its pass "
    "backwards. What does one have that one hadn't before?",
    Option(
        "the new weights",
        "These come from an optimiser, which may do what it likes with what backpropagation found.",
        "backpropagation_is_training",
    ),
    Option(
        "for each unit its share of the error; the shares add up to the loss",
        "A slope isn't a share. The slopes of a loss needn't add up to anything.",
        "blame_is_divided_up",
    ),
    Option(
        "for each weight the slope of the loss, at these weights and for this batch",
        "A million slopes for the price of about two more forward passes.",
    ),
    Option(
        "an estimate of each slope, from moving each weight a little",
        "That would be a million forward passes. It is how one checks a backward, on few weights.",
        "backpropagation_nudges_weights",
    ),
)

two_ways_meet = Choice(
    "two_ways_meet",
    "Two ways to the loss",
    "backpropagation-chain",
    "A number $x$ goes into a loss by two ways. Along the first, the product of the local slopes "
    "is $2$; along the second it is $-2$. What is the slope of the loss with respect to $x$?",
    Option(
        "$-4$",
        "Along a way slopes multiply. Where ways meet they don't.",
        "ways_multiply",
    ),
    Option(
        "$-2$, from the way that is computed last",
        "Then what one gets would depend on the order. An engine that overwrites has just this "
        "fault.",
        "the_last_way_overwrites",
    ),
    Option(
        "$2$ in size; the sign depends on which way is the stronger",
        "Both act at once when `x` moves: neither wins.",
        "the_stronger_way_wins",
    ),
    Option("0", "Move `x` a little: one way adds twice that, the other takes it off again."),
)

loss_falls_anyway = Choice(
    "loss_falls_anyway",
    "It learns, so it is right?",
    "backpropagation-check",
    "Somebody left out ReLU's factor, 0 or 1, in a backward pass. The training loss falls "
    "steadily. What does that show?",
    Option(
        "that the gradient is right after all, or it wouldn't fall",
        "Many directions lead downhill. That a step goes down doesn't make it the steepest.",
        "falling_loss_proves_the_gradient",
    ),
    Option(
        "nothing about the gradient: many wrong ones still point downhill",
        "Ask differences instead, one entry at a time.",
    ),
    Option(
        "that the factor doesn't matter, for this network",
        "Perhaps the right gradient gets much further. Nobody has compared.",
        "what_learns_is_good_enough",
    ),
    Option(
        "that it has been left out of the forward pass too",
        "The forward pass can be right, and is what the loss is measured with.",
        "a_wrong_backward_never_learns",
    ),
)

branch_recorded = Choice(
    "branch_recorded",
    "An if in the way",
    "autograd-walk",
    "A function says: if $x > 0$, return $x^2$, else return $-x$. What does reverse-mode "
    "automatic differentiation, as in this course, give at $x = 3$?",
    Option(
        "6, to rounding",
        "It recorded what was done, one multiplication of `x` by itself, and walks that back.",
    ),
    Option(
        "about 6, with an error that depends on a step size",
        "There is no step: each operation brings its own exact rule.",
        "autodiff_is_a_difference",
    ),
    Option(
        "5, since both branches are in the graph",
        "Only one was executed. Nobody recorded the other.",
        "both_branches_are_recorded",
    ),
    Option(
        "an error, since an if has no derivative",
        "The condition isn't part of the graph; it only decided which operations were done.",
        "control_flow_breaks_it",
    ),
)

bias_broadcast = Choice(
    "bias_broadcast",
    "One bias, 32 rows",
    "autograd-broadcast",
    "A bias of shape (5,) is added to an array of shape (32, 5), whose result has gradient `g` of "
    "shape (32, 5). What is the bias's gradient?",
    Option(
        "the mean of `g` over its 32 rows",
        "If the loss takes a mean, that has been done already, in `g`. Each row got the whole "
        "bias.",
        "the_batch_is_averaged_here",
    ),
    Option(
        "`g` as it is",
        "A gradient has the shape of what it belongs to: five numbers.",
        "gradients_keep_the_results_shape",
    ),
    Option(
        "the sum of `g` over its 32 rows",
        "It was copied to 32 rows, so 32 ways lead back to it, and ways add up.",
    ),
    Option(
        "five ones, for the slope of a sum is 1",
        "That is the local slope. It is multiplied by what comes from behind, `g`.",
        "a_local_slope_is_the_gradient",
    ),
)

jumping_loss = Choice(
    "jumping_loss",
    "Down, then to and fro",
    "optimization-diagnose",
    "With mini-batches and a fixed learning rate the training loss fell quickly. For 30 epochs "
    "now its mean over an epoch has gone neither up nor down, and from batch to batch it jumps "
    "widely. What would you try first?",
    Option(
        "the same, for longer",
        "Thirty epochs have shown what this rate does: it steps over what it is looking for.",
        "patience_is_enough",
    ),
    Option(
        "another start, since it is stuck in a local minimum",
        "What is stuck doesn't jump. Nothing here shows that there is no way down.",
        "a_plateau_is_a_local_minimum",
    ),
    Option(
        "a larger rate, so that it gets away from there",
        "It is moving already, too far with each step.",
        "a_larger_rate_gets_unstuck",
    ),
    Option(
        "a smaller rate from here on",
        "Around a minimum, the noise of the batches keeps it at a distance that shrinks with the "
        "rate.",
    ),
)

velocity_goes_on = Choice(
    "velocity_goes_on",
    "No slope, but speed",
    "optimization-rules",
    "Gradient descent with momentum 0.9 arrives with some speed at a point where the gradient is "
    "exactly 0. What is its next step?",
    Option(
        "none: there the gradient is 0",
        "Plain gradient descent would stop. Momentum steps by its velocity, which the gradient "
        "only changes.",
        "no_gradient_no_step",
    ),
    Option(
        "in the same direction, 0.9 times as long",
        "The old velocity, shrunk, and nothing added. It may well leave a minimum again.",
    ),
    Option(
        "in the same direction, longer than before: momentum speeds up",
        "It speeds up as long as gradients agree. Each step also takes a tenth of the speed off.",
        "momentum_always_grows",
    ),
    Option(
        "back, because it has found the lowest point",
        "It doesn't know that. It has a velocity, and no memory of places.",
        "optimisers_know_the_best_place",
    ),
)

loss_times_thousand = Choice(
    "loss_times_thousand",
    "A thousand times the loss",
    "optimization-rules",
    "You multiply a loss by 1,000 from the first step on, and change nothing else. How long are a "
    "step of gradient descent and one of Adam now? (Leave Adam's tiny $\\epsilon$ out of account.)",
    Option(
        "Descent's becomes 1,000 times as long, Adam's stays.",
        "Adam divides by the gradient's own size, so that a common factor cancels.",
    ),
    Option(
        "Both become 1,000 times as long.",
        "In Adam the factor stands in the numerator and, under a root of a square, in the "
        "denominator.",
        "adam_is_only_momentum",
    ),
    Option(
        "Both stay: only the direction counts.",
        "Descent multiplies the gradient itself by the rate, with its length.",
        "only_the_direction_counts",
    ),
    Option(
        "Descent's becomes 1,000 times as long, Adam's a thousandth.",
        "It divides by the gradient's size, but multiplies by the gradient too.",
        "adam_punishes_large_gradients",
    ),
)

equal_start = Choice(
    "equal_start",
    "All weights 0.1",
    "depth-initialise",
    "All weights of a network, hidden layers and output, start at 0.1 and all biases at 0. It is "
    "trained for 1,000 steps, without dropout. What about the 50 units of its first hidden layer?",
    Option(
        "They differ, since each looks at other parts of the data.",
        "Every unit sees all inputs, with equal weights. Nothing tells them apart.",
        "data_breaks_the_tie",
    ),
    Option(
        "They differ; only weights of exactly 0 are a problem.",
        "Zero isn't the trouble: equal is.",
        "only_zero_is_bad",
    ),
    Option(
        "They are still equal to each other.",
        "Equal weights give equal outputs and equal gradients, so equal steps. The layer is one "
        "unit, fifty times.",
    ),
    Option(
        "They are dead and have never changed.",
        "They learn, all the same thing.",
        "equal_units_are_dead",
    ),
)

one_image_in_use = Choice(
    "one_image_in_use",
    "A batch of one",
    "depth-normalise",
    "A network with batch normalisation was trained in batches of 64. In use, images come one at "
    "a time. What is each unit's score normalised with?",
    Option(
        "with nothing: normalisation is a help for training",
        "Then later layers would get signals of a size that they've never seen.",
        "normalisation_is_for_training_only",
    ),
    Option(
        "with averages of mean and variance that were kept during training",
        "So that an image's answer depends on the image alone.",
    ),
    Option(
        "with the mean and variance of this one image's score",
        "Of one number: it would always come out as 0.",
        "a_batch_of_one_normalises_itself",
    ),
    Option(
        "with those of the last 64 images that came in",
        "Then an answer would depend on who else asked. Nothing is taken from use.",
        "it_keeps_learning_in_use",
    ),
)

nine_tenths = Choice(
    "nine_tenths",
    "Nine tenths, fifty times",
    "depth-initialise",
    "On its way back each of 50 layers multiplies the size of the gradient by about 0.9. How much "
    "of it arrives at the first layer?",
    Option(
        "about nine tenths",
        "That is after one layer. The others take their tenth too.",
        "layers_do_not_compound",
    ),
    Option(
        "nothing at all from the tenth layer on: each takes off a tenth",
        "Each takes a tenth of what is left, and something is always left.",
        "shrinking_is_by_subtraction",
    ),
    Option(
        "all of it: the signal forwards fades, not the gradient",
        "The gradient comes back through the same weights, and has factors of its own.",
        "only_the_signal_fades",
    ),
    Option(
        "about a two-hundredth",
        "The fiftieth power of 0.9 is 0.005. Close to 1 isn't close enough, fifty times.",
    ),
)

both_errors_high = Choice(
    "both_errors_high",
    "24 % and 25 %",
    "generalization-diagnose",
    "A network has 24 % errors on its training part and 25 % on its validation part. People get 3 "
    "% on both. Which of these is the most promising?",
    Option(
        "a larger network, or longer training",
        "It hasn't learned what it was shown. That is underfitting.",
    ),
    Option(
        "ten times as many examples",
        "It does as badly on those that it has. More of them close the gap between the two, and "
        "there is hardly one.",
        "more_data_always_helps",
    ),
    Option(
        "dropout or weight decay, since validation is worse than training",
        "They are brakes against a gap. Here they would hold it back further.",
        "any_gap_is_overfitting",
    ),
    Option(
        "nothing: the two agree, so it has learned all that is in the data",
        "That they agree means that it doesn't overfit. People show that there is more in the "
        "data.",
        "agreement_means_done",
    ),
)

best_of_forty = Choice(
    "best_of_forty",
    "The best of forty",
    "generalization-leak",
    "Forty settings were trained, and the best was chosen by its accuracy on 500 test images: 93 "
    "%. What should one expect of it on new images of the same kind?",
    Option(
        "93 %, since it was never trained on the test images",
        "It was chosen by them. Of forty, the one that they happen to suit comes first.",
        "not_trained_on_is_unseen",
    ),
    Option(
        "at least 93 %: test images are harder than use",
        "They are of the same kind. Harder or easier is no part of being held out.",
        "a_test_is_a_lower_bound",
    ),
    Option(
        "somewhat less: being first of forty is partly luck on these 500",
        "Choose on a validation part, and look at the test part once.",
    ),
    Option(
        "93 %, more surely than with one setting: it held against 39 others",
        "The more one tries, the luckier the first of them. The number is too high, not surer.",
        "more_trials_make_it_surer",
    ),
)

same_patients = Choice(
    "same_patients",
    "Images of a hundred patients",
    "generalization-leak",
    "100 patients gave 30 images each. A network is tested on images drawn at random from all "
    "3,000, trained on the rest, and gets 98 %. On patients of the same hospital who came later "
    "it gets 80 %. What is the most likely reason?",
    Option(
        "The test part was too small.",
        "A larger one, drawn in this way, would have said 98 % more precisely.",
        "larger_tests_cure_bias",
    ),
    Option(
        "Each test image had images of the same patient in training.",
        "Who it is told the network part of the answer. Whole patients must be held out.",
    ),
    Option(
        "Chance: a random split is fair.",
        "Fair for images of these hundred patients. The question was about others.",
        "random_is_always_fair",
    ),
    Option(
        "The network was trained too long.",
        "Then the test images should have shown it. They couldn't, for a reason.",
        "every_drop_is_overfitting",
    ),
)
