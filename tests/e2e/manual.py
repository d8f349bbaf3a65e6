"""A manual of a pump that does not exist: what a model says about it, it can only have from the document."""
from pdf import pdf

QUESTION = "What is the maintenance code of the Zephyr-9 pump?"
FACT = "7315"
# The fact stands at the top of page 2. The pages are as long as real ones: each becomes a passage or more.
MANUAL = pdf("""Operating manual of the Zephyr-9 pump

1. About this manual

This manual is for the people who install, run and look after the Zephyr-9 pump.
Read it before the pump is switched on for the first time, and keep it near the pump.
The pump moves clean water from a cellar or a well to a tank. It must not be used for
salt water, oil or food. The pump stands on a level floor, at least half a metre away
from the wall, so that the air can pass on all sides. Four bolts hold it to the floor.
The hose of the inlet is the wide one; the hose of the outlet is the narrow one. Both are
pushed on by hand and held with the clamps in the box. No tool is needed for that.
When the hoses are in place, fill the housing with water through the upper opening,
close it, and wait for a minute. Then turn the grey switch to the right. The lamp on the
front shows green when the pump is running and yellow when no water arrives.""",
             """2. Maintenance

The maintenance code of the Zephyr-9 pump is 7315. It is typed on the panel before the
housing is opened.
Once a year the filter of the pump is cleaned and the seals are looked at. The lamp turns
blue, and the lid can be lifted. Take the filter out, rinse it under running water, and
put it back with the arrow pointing upwards. Seals that are hard or cracked are replaced.
The parts have the numbers that are printed on the inside of the lid. When the lid is
closed, press the round button again: the lamp turns green, and the pump starts after ten
seconds. If it stays blue, the lid is not closed.
Write the date of the cleaning into the table on the last page of this manual.""",
             """3. Disposal

When the pump has come to the end of its life, let the water out and take the hoses off.
The housing is made of bronze and can be melted down. The hoses and the seals belong in
the household waste. The panel holds a battery: bring it to a place that collects them.
The maker takes old pumps back at no charge. Pack the pump into its box or into one of the
same size, write the word old on it, and hand it in at any of the shops that sell it.
You get a receipt, which the owner of a rented house may ask for.
The wood of the box can be burned. The foam in its corners must not be burned; it goes
into the yellow bag. The paper of this manual was made from old paper, and can be made into
paper again. Whoever wants a new pump of the same kind gets a tenth of its price back.""")
